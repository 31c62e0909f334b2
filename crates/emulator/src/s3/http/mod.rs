//! The face of S3: requests in, answers out.

mod access;
mod attributes;
mod bucket;
mod context;
mod error;
mod lifecycle;
mod list;
mod multipart;
mod object_in;
mod post;
mod read;
mod reply;
mod routes;
mod tagging;
#[cfg(test)]
mod tests;
mod write;
mod xml;
mod xml_in;

use bytes::Bytes;
use http::{Method, StatusCode};

use self::context::Context;
pub(crate) use self::error::error_response;
pub(crate) use self::post::post_object;
use self::routes::{Operation, route};
use crate::http::{Request, Response};
use crate::s3::state::S3State;
use crate::s3::state::error::{Result, S3Error};
use crate::s3::time;

/// Answers one authenticated request.
pub(crate) fn handle(state: &mut S3State, request: &Request) -> Response {
    let context = Context::new(request);
    let result = answer(state, &context).map_err(|error| access::hide(state, &context, error));
    let mut response = finish(&context, result);
    if request.method == Method::HEAD {
        response.body = Bytes::new();
    }
    let forbidden = response.status == StatusCode::FORBIDDEN;
    if let Some(region) = state.bucket_region(context.bucket).filter(|_| forbidden) {
        reply::set(&mut response, "x-amz-bucket-region", region);
    }
    response
}

/// The answer, or the error as one, with what every answer carries.
fn finish(context: &Context<'_>, result: Result<Response>) -> Response {
    let request = context.request;
    let mut response =
        result.unwrap_or_else(|error| error::respond(&error, &request.id, &context.resource()));
    reply::set(&mut response, "x-amz-request-id", &request.id);
    reply::set(&mut response, "x-amz-id-2", &error::host_id(&request.id));
    reply::set(&mut response, "date", &time::http_date(context.now));
    reply::set(&mut response, "server", "AmazonS3");
    response
}

fn answer(state: &mut S3State, context: &Context<'_>) -> Result<Response> {
    let operation = route(context)?;
    access::check(state, context, operation)?;
    use Operation as Op;
    match operation {
        Op::GetObject => read::get(state, context),
        Op::HeadObject => read::head(state, context),
        Op::PutObject => write::put(state, context),
        Op::CopyObject => write::copy(state, context),
        Op::DeleteObject => write::delete(state, context),
        Op::DeleteObjects => write::delete_many(state, context),
        Op::ListObjects => list::objects_v1(state, context),
        Op::ListObjectsV2 => list::objects_v2(state, context),
        Op::ListVersions => list::versions(state, context),
        Op::CreateUpload => multipart::create(state, context),
        Op::UploadPart => multipart::upload_part(state, context),
        Op::UploadPartCopy => multipart::upload_part_copy(state, context),
        Op::CompleteUpload => multipart::complete(state, context),
        Op::AbortUpload => multipart::abort(state, context),
        Op::ListParts => multipart::list_parts(state, context),
        Op::ListUploads => multipart::list_uploads(state, context),
        Op::GetTagging => tagging::get_object(state, context),
        Op::PutTagging => tagging::put_object(state, context),
        Op::DeleteTagging => tagging::delete_object(state, context),
        Op::GetAttributes => attributes::get(state, context),
        Op::Restore => write::restore(state, context),
        Op::GetObjectAcl => {
            state.read(context.bucket, context.key, context.version()?)?;
            Ok(bucket::acl(&state.bucket(context.bucket)?.owner))
        }
        Op::PutObjectAcl => {
            state.read(context.bucket, context.key, context.version()?)?;
            put_acl(context)
        }
        Op::GetLock(_) => {
            state.read(context.bucket, context.key, context.version()?)?;
            let message = "Bucket is missing Object Lock Configuration";
            Err(S3Error::invalid_request(message))
        }
        of_bucket => answer_bucket(state, context, of_bucket),
    }
}

fn answer_bucket(
    state: &mut S3State,
    context: &Context<'_>,
    operation: Operation,
) -> Result<Response> {
    use Operation as Op;
    match operation {
        Op::CreateBucket => bucket::create(state, context),
        Op::HeadBucket => bucket::head(state, context),
        Op::DeleteBucket => bucket::delete(state, context),
        Op::GetLocation => bucket::location(state, context),
        Op::GetVersioning => bucket::versioning(state, context),
        Op::PutVersioning => bucket::put_versioning(state, context),
        Op::GetLifecycle => lifecycle::get(state, context),
        Op::PutLifecycle => lifecycle::put(state, context),
        Op::DeleteLifecycle => lifecycle::delete(state, context),
        Op::GetBucketTagging => tagging::get_bucket(state, context),
        Op::PutBucketTagging => tagging::put_bucket(state, context),
        Op::DeleteBucketTagging => tagging::delete_bucket(state, context),
        Op::GetPolicy => bucket::policy(state, context),
        Op::PutPolicy => bucket::put_policy(state, context),
        Op::DeletePolicy => bucket::delete_policy(state, context),
        Op::GetPolicyStatus => bucket::policy_status(state, context),
        Op::GetPublicAccess => bucket::public_access(state, context),
        Op::PutPublicAccess => bucket::put_public_access(state, context),
        Op::DeletePublicAccess => bucket::delete_public_access(state, context),
        Op::GetFixed(name) => bucket::fixed(state.bucket(context.bucket)?, name, context),
        Op::PutBucketAcl => put_acl(context),
        _ => list::buckets(state, context),
    }
}

fn put_acl(context: &Context<'_>) -> Result<Response> {
    if !context.request.body.is_empty() {
        return Err(object_in::acl_refused());
    }
    object_in::check_acl(context.header("x-amz-acl"))?;
    Ok(reply::empty(StatusCode::OK))
}
