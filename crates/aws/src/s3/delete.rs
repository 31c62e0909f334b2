//! Delete, one by one and in bulk.

use std::collections::HashMap;

use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use http::Method;
use polycloud_core::checksum::ChecksumAlgorithm;
use polycloud_core::object::{
    Access, DeleteItem, DeleteOptions, DeleteOutcome, DeleteResult, Key, VersionId,
};
use polycloud_core::{Error, ErrorKind, Outcome, Result, Retry};
use polycloud_wire::xml::{Event, Reader, Writer};
use polycloud_wire::{Call, Class, Reply};

use super::headers::{self, DELETE_MARKER};
use super::request::applies;
use super::write::write_error;
use super::{DOCUMENT, NO_BODY, S3Store};
use crate::error;

/// Items of one request, by the limit of S3.
const BATCH: usize = 1_000;

/// Requests of one `delete_many` that are under way at a time.
const BATCHES: usize = 8;

impl S3Store {
    pub(super) async fn remove(&self, key: &Key, options: &DeleteOptions) -> Result<DeleteResult> {
        self.0.capabilities.check(options)?;
        let DeleteOptions { precondition, version, .. } = options;
        applies(precondition.as_ref(), Access::Delete)?;
        let make = || {
            self.request(Method::DELETE, Some(key))
                .version(version.as_ref())
                .write_condition(precondition.as_ref())
                .empty()
        };
        let class = if precondition.is_some() { Class::Conditional } else { Class::Idempotent };
        let sent =
            self.0.wire.send(Call { operation: "delete", class, make: &make }, NO_BODY).await;
        let Reply { headers, .. } = match sent {
            Ok(reply) => reply,
            Err(failure) if failure.ambiguous => return Err(super::write::unknown(failure)),
            Err(failure) => {
                let error = Error::from(failure);
                return match (error.kind(), precondition) {
                    (ErrorKind::NotFound | ErrorKind::VersionNotFound, None) => {
                        Ok(DeleteResult::new(Some(false)))
                    }
                    (_, condition) => Err(write_error(error, condition.as_ref())),
                };
            }
        };
        let mut result = DeleteResult::new(precondition.is_some().then_some(true));
        let marked = headers::text(&headers, &DELETE_MARKER) == Some("true");
        if version.is_none() && marked {
            result.delete_marker = headers::version(&headers);
        }
        Ok(result)
    }

    pub(super) async fn remove_many(&self, items: Vec<DeleteItem>) -> Vec<DeleteOutcome> {
        // What a document cannot carry, or what needs a condition, goes by itself.
        let (singles, bulk): (Vec<_>, Vec<_>) =
            items.into_iter().enumerate().partition(|(_, item)| {
                item.options.precondition.is_some()
                    || !item.key.chars().all(survives_xml)
                    || self.0.capabilities.check(item).is_err()
            });
        let singles = stream::iter(singles).map(async |(at, item)| {
            let result = self.remove(&item.key, &item.options).await;
            vec![(at, DeleteOutcome::new(item, result))]
        });
        let mut batches = Vec::new();
        let mut bulk = bulk.into_iter().peekable();
        while bulk.peek().is_some() {
            batches.push(bulk.by_ref().take(BATCH).collect::<Vec<_>>());
        }
        let batches = stream::iter(batches).map(|batch| self.remove_batch(batch));
        let singles = singles.buffer_unordered(BATCHES * 4);
        let batches = batches.buffer_unordered(BATCHES);
        let mut outcomes: Vec<_> =
            stream::select(singles, batches).flat_map(stream::iter).collect().await;
        outcomes.sort_by_key(|(at, _)| *at);
        outcomes.into_iter().map(|(_, outcome)| outcome).collect()
    }

    async fn remove_batch(&self, items: Vec<(usize, DeleteItem)>) -> Vec<(usize, DeleteOutcome)> {
        let mut told = match self.send_batch(&items).await {
            Ok(told) => told,
            Err(error) => return fail_all(items, &error),
        };
        let mut outcomes = Vec::with_capacity(items.len());
        for (at, item) in items {
            let name = (item.key.to_string(), item.options.version.clone());
            let result = match told.remove(&name) {
                // The service failed for this one alone.
                Some(Err(error)) if error.retry() == Retry::Later => {
                    let again = self.remove(&item.key, &item.options).await;
                    again.map_err(|last| match error.outcome() {
                        // What happened before is not undone by a refusal.
                        Outcome::Unknown => last.with_outcome(Outcome::Unknown),
                        _ => last,
                    })
                }
                Some(result) => result,
                None => Err(Error::new(ErrorKind::InvalidResponse)
                    .with_message("the answer does not tell what became of it")),
            };
            // The same item twice has one answer.
            if let Ok(result) = &result {
                told.insert(name, Ok(result.clone()));
            }
            outcomes.push((at, DeleteOutcome::new(item, result)));
        }
        outcomes
    }

    async fn send_batch(&self, items: &[(usize, DeleteItem)]) -> Result<Told> {
        let body = write_batch(items)?;
        // S3 refuses a batch without a checksum.
        let algorithm = self.0.account.checksum.unwrap_or(ChecksumAlgorithm::Md5);
        let checksum = headers::checksum_text(&algorithm.of(&body));
        let make = || {
            self.request(Method::POST, None)
                .query("delete", "")
                .text(headers::checksum_header(algorithm), &checksum)
                .document(body.clone())
        };
        let call = Call { operation: "delete_many", class: Class::Idempotent, make: &make };
        let Reply { body, .. } = self.0.wire.send(call, DOCUMENT).await?;
        parse_told(&body)
    }
}

/// Whether XML carries a character, there and back. Controls, of lines among them, may be refused or
/// changed on the way.
fn survives_xml(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{2028}' | '\u{fffe}' | '\u{ffff}')
}

fn fail_all(items: Vec<(usize, DeleteItem)>, error: &Error) -> Vec<(usize, DeleteOutcome)> {
    let fail = |(at, item)| (at, DeleteOutcome::new(item, Err(error.repeat())));
    items.into_iter().map(fail).collect()
}

fn write_batch(items: &[(usize, DeleteItem)]) -> Result<Bytes> {
    let mut xml = Writer::with_capacity(items.len() * 64 + 64);
    xml.start("Delete");
    for (_, item) in items {
        xml.start("Object");
        xml.leaf("Key", &item.key)?;
        if let Some(version) = &item.options.version {
            xml.leaf("VersionId", version.as_str())?;
        }
        xml.end("Object");
    }
    xml.end("Delete");
    Ok(xml.finish().into())
}

/// What became of each key and version that was named.
type Told = HashMap<(String, Option<VersionId>), Result<DeleteResult>>;

fn parse_told(body: &[u8]) -> Result<Told> {
    let mut told = Told::new();
    let mut reader = Reader::new(body);
    let mut one = One::default();
    while let Some(event) = reader.next()? {
        match event {
            Event::Leaf("Key", text) => one.key = text.into_owned(),
            Event::Leaf("VersionId", text) => one.version = Some(VersionId::new(text)),
            Event::Leaf("DeleteMarker", text) => one.marked = text == "true",
            Event::Leaf("DeleteMarkerVersionId", text) => one.marker = Some(VersionId::new(text)),
            Event::Leaf("Code", text) => one.code = text.into_owned(),
            Event::Leaf("Message", text) => one.message = text.into_owned(),
            Event::End("Deleted") => {
                let One { key, version, marked, marker, .. } = std::mem::take(&mut one);
                let mut result = DeleteResult::new(None);
                if version.is_none() && marked {
                    result.delete_marker = marker;
                }
                told.insert((key, version), Ok(result));
            }
            Event::End("Error") => {
                let One { key, version, code, message, .. } = std::mem::take(&mut one);
                let refused = match code.as_str() {
                    "NoSuchKey" | "NoSuchVersion" => Ok(DeleteResult::new(Some(false))),
                    _ => Err(error::entry(&code, &message).error),
                };
                told.insert((key, version), refused);
            }
            _ => {}
        }
    }
    Ok(told)
}

#[derive(Default)]
struct One {
    key: String,
    version: Option<VersionId>,
    marked: bool,
    marker: Option<VersionId>,
    code: String,
    message: String,
}
