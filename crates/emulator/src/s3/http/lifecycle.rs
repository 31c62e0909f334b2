//! Lifecycle configurations in XML.

use http::StatusCode;

use super::context::Context;
use super::object_in::storage_class;
use super::reply;
use super::tagging;
use super::xml::Xml;
use super::xml_in::Element;
use crate::http::Response;
use crate::s3::state::S3State;
use crate::s3::state::error::{Result, S3Error};
use crate::s3::state::lifecycle::{
    Expiration, Filter, Lifecycle, NoncurrentExpiration, NoncurrentTransition, Rule, Scope,
    Transition, When,
};
use crate::s3::time;

pub(super) fn get(state: &S3State, context: &Context<'_>) -> Result<Response> {
    let Some(lifecycle) = &state.bucket(context.bucket)?.lifecycle else {
        let message = "The lifecycle configuration does not exist";
        return Err(S3Error::new("NoSuchLifecycleConfiguration", message)
            .with("BucketName", context.bucket));
    };
    let mut xml = Xml::document("LifecycleConfiguration");
    for rule in &lifecycle.rules {
        write_rule(&mut xml, rule);
    }
    let mut response = reply::xml(xml);
    let header = "x-amz-transition-default-minimum-object-size";
    reply::set(&mut response, header, "all_storage_classes_128K");
    Ok(response)
}

pub(super) fn put(state: &mut S3State, context: &Context<'_>) -> Result<Response> {
    state.bucket(context.bucket)?;
    context.require_digest()?;
    context.verified_body()?;
    let document = Element::parse(&context.request.body, "LifecycleConfiguration")?;
    document.only(&["Rule"])?;
    let rules = document.all("Rule").map(rule).collect::<Result<_>>()?;
    let lifecycle = Lifecycle { rules }.validated()?;
    state.bucket_mut(context.bucket)?.lifecycle = Some(lifecycle);
    Ok(reply::empty(StatusCode::OK))
}

pub(super) fn delete(state: &mut S3State, context: &Context<'_>) -> Result<Response> {
    state.bucket_mut(context.bucket)?.lifecycle = None;
    Ok(reply::no_content())
}

fn rule(element: &Element) -> Result<Rule> {
    element.only(&[
        "ID",
        "Status",
        "Prefix",
        "Filter",
        "Expiration",
        "NoncurrentVersionExpiration",
        "Transition",
        "NoncurrentVersionTransition",
        "AbortIncompleteMultipartUpload",
    ])?;
    let enabled = match element.required("Status")? {
        "Enabled" => true,
        "Disabled" => false,
        _ => return Err(S3Error::malformed_xml()),
    };
    let scope = match (element.child("Prefix"), element.child("Filter")) {
        (Some(prefix), None) => Scope::Prefix(prefix.text.clone()),
        (None, Some(filter)) => Scope::Filter(parse_filter(filter)?),
        _ => return Err(S3Error::malformed_xml()),
    };
    let abort = element.child("AbortIncompleteMultipartUpload");
    let abort = abort.map(|abort| required_number(abort, "DaysAfterInitiation")).transpose()?;
    Ok(Rule {
        id: element.text_of("ID").unwrap_or_default().to_owned(),
        enabled,
        scope,
        expiration: element.child("Expiration").map(expiration).transpose()?,
        noncurrent_expiration: element
            .child("NoncurrentVersionExpiration")
            .map(noncurrent_expiration)
            .transpose()?,
        transitions: element.all("Transition").map(transition).collect::<Result<_>>()?,
        noncurrent_transitions: element
            .all("NoncurrentVersionTransition")
            .map(noncurrent_transition)
            .collect::<Result<_>>()?,
        abort_uploads_after_days: abort,
    })
}

fn required_number(element: &Element, name: &str) -> Result<u64> {
    element.number(name)?.ok_or_else(S3Error::malformed_xml)
}

fn parse_filter(element: &Element) -> Result<Filter> {
    let known = ["Prefix", "Tag", "ObjectSizeGreaterThan", "ObjectSizeLessThan"];
    let (inner, and) = match element.child("And") {
        Some(inner) if element.children.len() == 1 => (inner, true),
        Some(_) => return Err(S3Error::malformed_xml()),
        None => (element, false),
    };
    inner.only(&known)?;
    Ok(Filter {
        prefix: inner.text_of("Prefix").map(str::to_owned),
        tags: inner.all("Tag").map(tagging::tag).collect::<Result<_>>()?,
        larger_than: inner.number("ObjectSizeGreaterThan")?,
        smaller_than: inner.number("ObjectSizeLessThan")?,
        and,
    })
}

fn when(element: &Element) -> Result<Option<When>> {
    let date = element.text_of("Date").map(str::trim);
    match (element.number("Days")?, date) {
        (Some(days), None) => Ok(Some(When::Days(days))),
        (None, Some(date)) => {
            let time = time::parse_iso8601(date).ok_or_else(S3Error::malformed_xml)?;
            Ok(Some(When::Date(time)))
        }
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(S3Error::malformed_xml()),
    }
}

fn expiration(element: &Element) -> Result<Expiration> {
    element.only(&["Days", "Date", "ExpiredObjectDeleteMarker"])?;
    match (when(element)?, element.boolean("ExpiredObjectDeleteMarker")?) {
        (Some(when), None) => Ok(Expiration::When(when)),
        (None, Some(marks)) => Ok(Expiration::DeleteMarkers(marks)),
        _ => Err(S3Error::malformed_xml()),
    }
}

fn noncurrent_expiration(element: &Element) -> Result<NoncurrentExpiration> {
    element.only(&["NoncurrentDays", "NewerNoncurrentVersions"])?;
    Ok(NoncurrentExpiration {
        days: required_number(element, "NoncurrentDays")?,
        newer_versions: element.number("NewerNoncurrentVersions")?,
    })
}

fn class(element: &Element) -> Result<crate::s3::state::object::StorageClass> {
    storage_class(element.required("StorageClass")?).map_err(|_| S3Error::malformed_xml())
}

fn transition(element: &Element) -> Result<Transition> {
    element.only(&["Days", "Date", "StorageClass"])?;
    let when = when(element)?.ok_or_else(S3Error::malformed_xml)?;
    Ok(Transition { when, storage_class: class(element)? })
}

fn noncurrent_transition(element: &Element) -> Result<NoncurrentTransition> {
    element.only(&["NoncurrentDays", "NewerNoncurrentVersions", "StorageClass"])?;
    Ok(NoncurrentTransition {
        days: required_number(element, "NoncurrentDays")?,
        newer_versions: element.number("NewerNoncurrentVersions")?,
        storage_class: class(element)?,
    })
}

fn write_rule(xml: &mut Xml, rule: &Rule) {
    xml.open("Rule");
    xml.text("ID", &rule.id);
    match &rule.scope {
        Scope::Prefix(prefix) => xml.text("Prefix", prefix),
        Scope::Filter(filter) => write_filter(xml, filter),
    }
    xml.text("Status", if rule.enabled { "Enabled" } else { "Disabled" });
    match rule.expiration {
        Some(Expiration::When(when)) => {
            xml.open("Expiration");
            write_when(xml, when);
            xml.close("Expiration");
        }
        Some(Expiration::DeleteMarkers(marks)) => {
            xml.open("Expiration");
            xml.boolean("ExpiredObjectDeleteMarker", marks);
            xml.close("Expiration");
        }
        None => {}
    }
    write_noncurrent(xml, rule);
    for transition in &rule.transitions {
        xml.open("Transition");
        write_when(xml, transition.when);
        xml.text("StorageClass", transition.storage_class.name());
        xml.close("Transition");
    }
    if let Some(days) = rule.abort_uploads_after_days {
        xml.open("AbortIncompleteMultipartUpload");
        xml.number("DaysAfterInitiation", days);
        xml.close("AbortIncompleteMultipartUpload");
    }
    xml.close("Rule");
}

fn write_noncurrent(xml: &mut Xml, rule: &Rule) {
    let write_days = |xml: &mut Xml, days, newer: Option<u64>| {
        xml.number("NoncurrentDays", days);
        if let Some(newer) = newer {
            xml.number("NewerNoncurrentVersions", newer);
        }
    };
    if let Some(expiration) = rule.noncurrent_expiration {
        xml.open("NoncurrentVersionExpiration");
        write_days(xml, expiration.days, expiration.newer_versions);
        xml.close("NoncurrentVersionExpiration");
    }
    for transition in &rule.noncurrent_transitions {
        xml.open("NoncurrentVersionTransition");
        write_days(xml, transition.days, transition.newer_versions);
        xml.text("StorageClass", transition.storage_class.name());
        xml.close("NoncurrentVersionTransition");
    }
}

fn write_when(xml: &mut Xml, when: When) {
    match when {
        When::Days(days) => xml.number("Days", days),
        When::Date(date) => xml.text("Date", &time::iso8601(date)),
    }
}

fn write_filter(xml: &mut Xml, filter: &Filter) {
    xml.open("Filter");
    if filter.and {
        xml.open("And");
    }
    if let Some(prefix) = &filter.prefix {
        xml.text("Prefix", prefix);
    }
    for tag in &filter.tags {
        tagging::write_tag(xml, tag);
    }
    if let Some(size) = filter.larger_than {
        xml.number("ObjectSizeGreaterThan", size);
    }
    if let Some(size) = filter.smaller_than {
        xml.number("ObjectSizeLessThan", size);
    }
    if filter.and {
        xml.close("And");
    }
    xml.close("Filter");
}
