//! Uploads from forms of a browser. The policy of the form was verified before.

use bytes::Bytes;
use http::StatusCode;

use super::context::Context;
use super::object_in::{check_acl, kept, storage_class};
use super::write::UNCONDITIONAL;
use super::xml::{Xml, url_encode};
use super::{access, finish, reply, tagging};
use crate::http::{Request, Response};
use crate::s3::state::checksum::{Algorithm, Checksum, verify_md5};
use crate::s3::state::error::{Result, S3Error};
use crate::s3::state::tags::OBJECT_TAGS;
use crate::s3::state::{NewObject, S3State};

/// Answers the upload of a form: its fields without the file, in order, and the file. The name of the
/// file comes as a field `filename`.
pub(crate) fn post_object(
    state: &mut S3State,
    request: &Request,
    fields: &[(String, String)],
    file: Bytes,
) -> Response {
    let context = Context::new(request);
    let form = Form { fields };
    finish(&context, form.upload(state, &context, file))
}

struct Form<'a> {
    fields: &'a [(String, String)],
}

impl<'a> Form<'a> {
    fn field(&self, name: &str) -> Option<&'a str> {
        let found = self.fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    fn upload(&self, state: &mut S3State, context: &Context<'_>, file: Bytes) -> Result<Response> {
        let key = self.key()?;
        let bucket = state.bucket(context.bucket)?;
        let resource = format!("arn:aws:s3:::{}/{key}", context.bucket);
        if !access::may(bucket, context.account(), "s3:PutObject", &resource) {
            return Err(S3Error::access_denied());
        }
        check_acl(self.field("acl"))?;
        let tags = self.field("tagging").map(|text| tagging::parse(text.as_bytes(), OBJECT_TAGS));
        let class = self.field("x-amz-storage-class").map(storage_class).transpose()?;
        let names =
            self.fields.iter().map(|(name, _)| name.to_ascii_lowercase()).collect::<Vec<_>>();
        let values = self.fields.iter().map(|(_, value)| value.as_str());
        let new = NewObject {
            headers: kept(names.iter().map(String::as_str).zip(values))?,
            tags: tags.transpose()?.unwrap_or_default(),
            storage_class: class.unwrap_or_default(),
            checksum: self.checksum(&file)?,
            body: file,
        };
        let stored = state.put(context.bucket, &key, new, &UNCONDITIONAL, context.now)?;
        let mut response = self.success(context.bucket, &key, &stored.etag);
        let location = location(context.bucket, &key);
        reply::set(&mut response, "location", &location);
        if response.status == StatusCode::SEE_OTHER {
            let target = self.redirect().unwrap_or_default();
            let separator = if target.contains('?') { '&' } else { '?' };
            let (bucket, etag) = (context.bucket, &stored.etag);
            let key = url_encode(&key);
            let target = format!("{target}{separator}bucket={bucket}&key={key}&etag=%22{etag}%22");
            reply::set(&mut response, "location", &target);
        }
        reply::set_etag(&mut response, &stored.etag);
        if let Some(version) = &stored.version_id {
            reply::set(&mut response, "x-amz-version-id", version);
        }
        Ok(response)
    }

    /// The key, with the name of the file where the form asks for it.
    fn key(&self) -> Result<String> {
        let Some(key) = self.field("key").filter(|key| !key.is_empty()) else {
            let message = "Bucket POST must contain a field named 'key'. If it is specified, please \
                           check the order of the fields.";
            return Err(S3Error::invalid_argument(message, "key", ""));
        };
        let file = self.field("filename").unwrap_or_default();
        Ok(key.replace("${filename}", file))
    }

    fn checksum(&self, file: &Bytes) -> Result<Option<Checksum>> {
        if let Some(md5) = self.field("content-md5") {
            verify_md5(md5, file)?;
        }
        let given = Algorithm::ALL
            .into_iter()
            .find_map(|algorithm| self.field(algorithm.header()).map(|value| (algorithm, value)));
        given.map(|(algorithm, value)| Checksum::verified(algorithm, value, file)).transpose()
    }

    fn redirect(&self) -> Option<&'a str> {
        let target = self.field("success_action_redirect").or_else(|| self.field("redirect"));
        target.filter(|target| target.starts_with("http://") || target.starts_with("https://"))
    }

    fn success(&self, bucket: &str, key: &str, etag: &str) -> Response {
        if self.redirect().is_some() {
            return reply::empty(StatusCode::SEE_OTHER);
        }
        match self.field("success_action_status") {
            Some("200") => reply::empty(StatusCode::OK),
            Some("201") => {
                let mut xml = Xml::plain("PostResponse");
                xml.text("Location", &location(bucket, key));
                xml.text("Bucket", bucket);
                xml.text("Key", key);
                xml.etag(etag);
                let mut response = reply::xml(xml);
                response.status = StatusCode::CREATED;
                response
            }
            _ => reply::no_content(),
        }
    }
}

fn location(bucket: &str, key: &str) -> String {
    format!("http://{bucket}.s3.amazonaws.com/{}", url_encode(key).replace('+', "%20"))
}
