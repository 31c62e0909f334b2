//! Tags of objects and of buckets.

use http::StatusCode;

use super::context::Context;
use super::reply;
use super::xml::Xml;
use super::xml_in::Element;
use crate::http::Response;
use crate::s3::state::S3State;
use crate::s3::state::error::{Result, S3Error};
use crate::s3::state::object::Tag;
use crate::s3::state::tags;

pub(super) fn tag(element: &Element) -> Result<Tag> {
    element.only(&["Key", "Value"])?;
    Ok((element.required("Key")?.to_owned(), element.required("Value")?.to_owned()))
}

pub(super) fn write_tag(xml: &mut Xml, (key, value): &Tag) {
    xml.open("Tag");
    xml.text("Key", key);
    xml.text("Value", value);
    xml.close("Tag");
}

/// The tags of a document, checked.
pub(super) fn parse(document: &[u8], limit: usize) -> Result<Vec<Tag>> {
    let document = Element::parse(document, "Tagging")?;
    document.only(&["TagSet"])?;
    let set = document.child("TagSet").ok_or_else(S3Error::malformed_xml)?;
    set.only(&["Tag"])?;
    let parsed = set.children.iter().map(tag).collect::<Result<Vec<_>>>()?;
    tags::check(&parsed, limit)?;
    Ok(parsed)
}

fn document(tags: &[Tag]) -> Xml {
    let mut xml = Xml::document("Tagging");
    xml.open("TagSet");
    for tag in tags {
        write_tag(&mut xml, tag);
    }
    xml.close("TagSet");
    xml
}

pub(super) fn get_object(state: &S3State, context: &Context<'_>) -> Result<Response> {
    let found = state.read(context.bucket, context.key, context.version()?)?;
    let mut response = reply::xml(document(&found.object.tags));
    if let Some(version) = &found.version_id {
        reply::set(&mut response, "x-amz-version-id", version);
    }
    Ok(response)
}

pub(super) fn put_object(state: &mut S3State, context: &Context<'_>) -> Result<Response> {
    state.bucket(context.bucket)?;
    context.verified_body()?;
    let tags = parse(&context.request.body, tags::OBJECT_TAGS)?;
    change_object(state, context, tags, StatusCode::OK)
}

pub(super) fn delete_object(state: &mut S3State, context: &Context<'_>) -> Result<Response> {
    change_object(state, context, Vec::new(), StatusCode::NO_CONTENT)
}

fn change_object(
    state: &mut S3State,
    context: &Context<'_>,
    tags: Vec<Tag>,
    status: StatusCode,
) -> Result<Response> {
    let (object, version) = state.object_mut(context.bucket, context.key, context.version()?)?;
    object.tags = tags;
    let mut response = reply::empty(status);
    if let Some(version) = version {
        reply::set(&mut response, "x-amz-version-id", &version);
    }
    Ok(response)
}

pub(super) fn get_bucket(state: &S3State, context: &Context<'_>) -> Result<Response> {
    let tags = &state.bucket(context.bucket)?.tags;
    if tags.is_empty() {
        let message = "The TagSet does not exist";
        return Err(S3Error::new("NoSuchTagSet", message).with("BucketName", context.bucket));
    }
    Ok(reply::xml(document(tags)))
}

pub(super) fn put_bucket(state: &mut S3State, context: &Context<'_>) -> Result<Response> {
    state.bucket(context.bucket)?;
    context.require_digest()?;
    context.verified_body()?;
    let tags = parse(&context.request.body, tags::BUCKET_TAGS)?;
    state.bucket_mut(context.bucket)?.tags = tags;
    Ok(reply::no_content())
}

pub(super) fn delete_bucket(state: &mut S3State, context: &Context<'_>) -> Result<Response> {
    state.bucket_mut(context.bucket)?.tags = Vec::new();
    Ok(reply::no_content())
}
