//! Buckets and their configuration.

use http::StatusCode;

use super::context::Context;
use super::object_in::check_acl;
use super::reply;
use super::xml::Xml;
use super::xml_in::Element;
use crate::http::Response;
use crate::s3::state::bucket::{Bucket, Versioning};
use crate::s3::state::error::{Result, S3Error};
use crate::s3::state::policy::{Policy, PublicAccessBlock};
use crate::s3::state::{FIRST_REGION, S3State};

/// The largest policy in bytes.
const POLICY_BYTES: usize = 20 * 1024;

pub(super) fn create(state: &mut S3State, context: &Context<'_>) -> Result<Response> {
    let owner = context.account().ok_or_else(S3Error::access_denied)?;
    check_acl(context.header("x-amz-acl"))?;
    let locked = context.header("x-amz-bucket-object-lock-enabled");
    if locked.is_some_and(|locked| locked.eq_ignore_ascii_case("true")) {
        return Err(S3Error::not_implemented("x-amz-bucket-object-lock-enabled"));
    }
    let region = region(&context.request.body)?;
    state.create_bucket(context.bucket, &region, owner, context.now)?;
    let mut response = reply::empty(StatusCode::OK);
    reply::set(&mut response, "location", &format!("/{}", context.bucket));
    Ok(response)
}

fn region(body: &[u8]) -> Result<String> {
    if body.is_empty() {
        return Ok(FIRST_REGION.to_owned());
    }
    let document = Element::parse(body, "CreateBucketConfiguration")?;
    match document.text_of("LocationConstraint").map(str::trim) {
        None | Some("") => Ok(FIRST_REGION.to_owned()),
        Some("EU") => Ok("eu-west-1".to_owned()),
        Some(region) if region != FIRST_REGION && is_region(region) => Ok(region.to_owned()),
        Some(other) => {
            let message = "The specified location-constraint is not valid";
            Err(S3Error::new("InvalidLocationConstraint", message)
                .with("LocationConstraint", other))
        }
    }
}

/// Letters in groups and a number at the end, such as `eu-central-1`.
fn is_region(text: &str) -> bool {
    let groups = text.split('-').collect::<Vec<_>>();
    let Some((number, words)) = groups.split_last() else { return false };
    let word = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    (2..=4).contains(&words.len())
        && words.iter().all(word)
        && (1..=2).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

pub(super) fn head(state: &S3State, context: &Context<'_>) -> Result<Response> {
    let bucket = state.bucket(context.bucket)?;
    let mut response = reply::empty(StatusCode::OK);
    reply::set(&mut response, "x-amz-bucket-region", &bucket.region);
    reply::set(&mut response, "x-amz-access-point-alias", "false");
    reply::set(&mut response, "content-type", "application/xml");
    Ok(response)
}

pub(super) fn delete(state: &mut S3State, context: &Context<'_>) -> Result<Response> {
    state.delete_bucket(context.bucket)?;
    Ok(reply::no_content())
}

pub(super) fn location(state: &S3State, context: &Context<'_>) -> Result<Response> {
    let region = &state.bucket(context.bucket)?.region;
    let mut xml = Xml::document("LocationConstraint");
    if region != FIRST_REGION {
        xml.raw(region);
    }
    Ok(reply::xml(xml))
}

pub(super) fn versioning(state: &S3State, context: &Context<'_>) -> Result<Response> {
    let mut xml = Xml::document("VersioningConfiguration");
    if let Some(versioning) = state.bucket(context.bucket)?.versioning {
        xml.text("Status", versioning.name());
    }
    Ok(reply::xml(xml))
}

pub(super) fn put_versioning(state: &mut S3State, context: &Context<'_>) -> Result<Response> {
    state.bucket(context.bucket)?;
    context.verified_body()?;
    let document = Element::parse(&context.request.body, "VersioningConfiguration")?;
    document.only(&["Status", "MfaDelete"])?;
    if document.text_of("MfaDelete") == Some("Enabled") {
        return Err(S3Error::not_implemented("x-amz-mfa"));
    }
    let versioning = match document.text_of("Status") {
        Some("Enabled") => Versioning::Enabled,
        Some("Suspended") => Versioning::Suspended,
        Some(_) => return Err(S3Error::malformed_xml()),
        None => {
            let message = "The Versioning element must be specified";
            return Err(S3Error::new("IllegalVersioningConfigurationException", message));
        }
    };
    state.bucket_mut(context.bucket)?.versioning = Some(versioning);
    Ok(reply::empty(StatusCode::OK))
}

pub(super) fn policy(state: &S3State, context: &Context<'_>) -> Result<Response> {
    let Some(policy) = &state.bucket(context.bucket)?.policy else {
        return Err(no_policy(context.bucket));
    };
    let mut response = reply::empty(StatusCode::OK);
    response.body = policy.text.clone().into();
    reply::set(&mut response, "content-type", "application/json");
    Ok(response)
}

fn no_policy(bucket: &str) -> S3Error {
    S3Error::new("NoSuchBucketPolicy", "The bucket policy does not exist")
        .with("BucketName", bucket)
}

pub(super) fn policy_status(state: &S3State, context: &Context<'_>) -> Result<Response> {
    let Some(policy) = &state.bucket(context.bucket)?.policy else {
        return Err(no_policy(context.bucket));
    };
    let mut xml = Xml::document("PolicyStatus");
    xml.boolean("IsPublic", policy.is_public());
    Ok(reply::xml(xml))
}

pub(super) fn put_policy(state: &mut S3State, context: &Context<'_>) -> Result<Response> {
    let bucket = state.bucket(context.bucket)?;
    context.verified_body()?;
    let body = &context.request.body;
    let text = std::str::from_utf8(body).ok().filter(|text| text.len() <= POLICY_BYTES);
    let message = "Policies must be valid JSON and the first byte must be '{'";
    let text = text.ok_or_else(|| S3Error::new("MalformedPolicy", message))?;
    let policy = Policy::parse(text, context.bucket)?;
    let blocked = bucket.public_access.is_some_and(|block| block.block_public_policy);
    if policy.is_public() && blocked {
        let message = "User is not authorized to perform: s3:PutBucketPolicy on resource because \
                       public policies are prevented by the BlockPublicPolicy setting in S3 Block \
                       Public Access.";
        return Err(S3Error::new("AccessDenied", message));
    }
    state.bucket_mut(context.bucket)?.policy = Some(policy);
    Ok(reply::no_content())
}

pub(super) fn delete_policy(state: &mut S3State, context: &Context<'_>) -> Result<Response> {
    state.bucket_mut(context.bucket)?.policy = None;
    Ok(reply::no_content())
}

pub(super) fn public_access(state: &S3State, context: &Context<'_>) -> Result<Response> {
    let Some(block) = state.bucket(context.bucket)?.public_access else {
        let message = "The public access block configuration was not found";
        return Err(S3Error::new("NoSuchPublicAccessBlockConfiguration", message)
            .with("BucketName", context.bucket));
    };
    let mut xml = Xml::document("PublicAccessBlockConfiguration");
    xml.boolean("BlockPublicAcls", block.block_public_acls);
    xml.boolean("IgnorePublicAcls", block.ignore_public_acls);
    xml.boolean("BlockPublicPolicy", block.block_public_policy);
    xml.boolean("RestrictPublicBuckets", block.restrict_public_buckets);
    Ok(reply::xml(xml))
}

pub(super) fn put_public_access(state: &mut S3State, context: &Context<'_>) -> Result<Response> {
    state.bucket(context.bucket)?;
    context.verified_body()?;
    let document = Element::parse(&context.request.body, "PublicAccessBlockConfiguration")?;
    let switch = |name| document.boolean(name).map(|value| value.unwrap_or(false));
    let block = PublicAccessBlock {
        block_public_acls: switch("BlockPublicAcls")?,
        ignore_public_acls: switch("IgnorePublicAcls")?,
        block_public_policy: switch("BlockPublicPolicy")?,
        restrict_public_buckets: switch("RestrictPublicBuckets")?,
    };
    state.bucket_mut(context.bucket)?.public_access = Some(block);
    Ok(reply::empty(StatusCode::OK))
}

pub(super) fn delete_public_access(state: &mut S3State, context: &Context<'_>) -> Result<Response> {
    state.bucket_mut(context.bucket)?.public_access = None;
    Ok(reply::no_content())
}

/// Access control lists: only the owner has any right, and nobody can be given one.
pub(super) fn acl(owner: &str) -> Response {
    let mut xml = Xml::document("AccessControlPolicy");
    xml.owner("Owner", owner);
    xml.raw(
        "<AccessControlList><Grant><Grantee \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"CanonicalUser\">",
    );
    xml.text("ID", owner);
    xml.text("DisplayName", owner);
    xml.raw("</Grantee><Permission>FULL_CONTROL</Permission></Grant></AccessControlList>");
    reply::xml(xml)
}

/// What a bucket answers for a configuration that cannot be changed here.
pub(super) fn fixed(bucket: &Bucket, name: &str, context: &Context<'_>) -> Result<Response> {
    let missing =
        |code, message| Err(S3Error::new(code, message).with("BucketName", context.bucket));
    let (root, inner) = match name {
        "acl" => return Ok(acl(&bucket.owner)),
        "cors" => {
            let message = "The CORS configuration does not exist";
            return missing("NoSuchCORSConfiguration", message);
        }
        "website" => {
            let message = "The specified bucket does not have a website configuration";
            return missing("NoSuchWebsiteConfiguration", message);
        }
        "replication" => {
            let message = "The replication configuration was not found";
            return missing("ReplicationConfigurationNotFoundError", message);
        }
        "object-lock" => {
            let message = "Object Lock configuration does not exist for this bucket";
            return missing("ObjectLockConfigurationNotFoundError", message);
        }
        "encryption" => (
            "ServerSideEncryptionConfiguration",
            "<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm>\
             </ApplyServerSideEncryptionByDefault><BucketKeyEnabled>false</BucketKeyEnabled></Rule>",
        ),
        "ownershipControls" => (
            "OwnershipControls",
            "<Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule>",
        ),
        "requestPayment" => ("RequestPaymentConfiguration", "<Payer>BucketOwner</Payer>"),
        "logging" => ("BucketLoggingStatus", ""),
        "notification" => ("NotificationConfiguration", ""),
        "accelerate" => ("AccelerateConfiguration", ""),
        _ => return Err(S3Error::not_implemented(name)),
    };
    let mut xml = Xml::document(root);
    xml.raw(inner);
    Ok(reply::xml(xml))
}
