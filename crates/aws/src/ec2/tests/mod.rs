//! The backend against canned answers.

mod config;
mod create;
mod errors;
mod facets;
mod lifecycle;
mod wire;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use polycloud_wire::client::{HttpClient, RequestBody, ResponseBody, SendError, SendErrorKind};

use super::*;
use crate::Session;
use crate::config::Environment;

type Answer = Result<http::Response<ResponseBody>, SendError>;

/// Answers one request after the other, and keeps what was asked.
#[derive(Debug, Default)]
struct Script {
    answers: Mutex<VecDeque<Answer>>,
    asked: Mutex<Vec<Asked>>,
}

/// A request.
#[derive(Debug, Clone)]
struct Asked {
    url: String,
    signature: String,
    target: String,
    body: String,
}

impl Asked {
    /// The values of a parameter of the Query protocol.
    fn values(&self, name: &str) -> Vec<String> {
        let pairs = self.body.split('&').filter_map(|pair| pair.split_once('='));
        let own = pairs.filter(|(key, _)| *key == name);
        own.map(|(_, value)| decoded(value)).collect()
    }

    fn value(&self, name: &str) -> Option<String> {
        self.values(name).pop()
    }

    fn action(&self) -> String {
        self.value("Action").unwrap_or_default()
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let (byte, tail) = match (*first, tail) {
            (b'%', [a, b, tail @ ..]) => {
                let digits = std::str::from_utf8(&[*a, *b]).unwrap().to_owned();
                (u8::from_str_radix(&digits, 16).unwrap(), tail)
            }
            (b'+', tail) => (b' ', tail),
            (byte, tail) => (byte, tail),
        };
        bytes.push(byte);
        rest = tail;
    }
    String::from_utf8(bytes).unwrap()
}

#[async_trait]
impl HttpClient for Script {
    async fn send(&self, request: http::Request<RequestBody>) -> Answer {
        let (head, body) = request.into_parts();
        let header = |name: &str| {
            let value = head.headers.get(name).map(|value| value.to_str().unwrap());
            value.unwrap_or_default().to_owned()
        };
        let body = body.as_bytes().cloned().unwrap_or_default();
        self.asked.lock().unwrap().push(Asked {
            url: head.uri.to_string(),
            signature: header("authorization"),
            target: header("x-amz-target"),
            body: String::from_utf8(body.to_vec()).unwrap(),
        });
        self.answers.lock().unwrap().pop_front().expect("one request more than there are answers")
    }
}

impl Script {
    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    fn actions(&self) -> Vec<String> {
        self.asked().iter().map(Asked::action).collect()
    }
}

fn answer(status: u16, body: impl Into<Bytes>) -> Answer {
    Ok(http::Response::builder().status(status).body(ResponseBody::new(body.into())).unwrap())
}

/// A success of an action.
fn answered(action: &str, inside: &str) -> Answer {
    let space = "http://ec2.amazonaws.com/doc/2016-11-15/";
    answer(
        200,
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{action}Response xmlns=\"{space}\">\
             <requestId>r-1</requestId>{inside}</{action}Response>"
        ),
    )
}

fn refused(status: u16, code: &str) -> Answer {
    answer(status, error_document(code, "Their words."))
}

fn error_document(code: &str, message: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>{code}</Code>\
         <Message>{message}</Message></Error></Errors>\
         <RequestID>ea966190-f9aa-478e-9ede-example</RequestID></Response>"
    )
}

/// An instance in an answer.
fn instance(id: &str, state: &str, more: &str) -> String {
    format!(
        "<item><instanceId>{id}</instanceId><imageId>ami-1</imageId><instanceState><code>0</code>\
         <name>{state}</name></instanceState><instanceType>t3.micro</instanceType>\
         <launchTime>2026-01-01T10:00:00.000Z</launchTime>\
         <placement><availabilityZone>eu-west-1b</availabilityZone></placement>{more}</item>"
    )
}

fn described(instances: &[String]) -> Answer {
    let all = instances.concat();
    answered(
        "DescribeInstances",
        &format!(
            "<reservationSet><item><reservationId>r-1</reservationId><instancesSet>{all}\
             </instancesSet></item></reservationSet>"
        ),
    )
}

fn changed(action: &str, id: &str, before: &str, after: &str) -> Answer {
    answered(
        action,
        &format!(
            "<instancesSet><item><instanceId>{id}</instanceId><currentState><code>1</code>\
             <name>{after}</name></currentState><previousState><code>1</code><name>{before}</name>\
             </previousState></item></instancesSet>"
        ),
    )
}

fn lost() -> Answer {
    Err(SendError::new(SendErrorKind::Closed))
}

fn session(script: &Arc<Script>) -> Session {
    Session::new().with_client(Arc::clone(script) as _).with_environment(Environment::new(&[], &[]))
}

/// A region whose requests are sent once.
async fn region(answers: impl IntoIterator<Item = Answer>) -> (Ec2Compute, Arc<Script>) {
    patient(1, answers).await
}

/// A region whose requests are sent so often.
async fn patient(
    attempts: u32,
    answers: impl IntoIterator<Item = Answer>,
) -> (Ec2Compute, Arc<Script>) {
    let script = Arc::new(Script::default());
    script.answers.lock().unwrap().extend(answers);
    let config = Ec2Config::new("eu-west-1").with_credentials("AKID", "c4n4ry");
    let config = config.with_max_attempts(attempts);
    (config.open(&session(&script)).await.unwrap(), script)
}

fn id() -> InstanceId {
    InstanceId::new("aws", "eu-west-1", "i-1").unwrap()
}
