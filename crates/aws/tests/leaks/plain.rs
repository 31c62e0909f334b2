//! Requests of somebody who does not use this library.

use std::sync::Arc;

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use polycloud_core::clock::Clock as _;
use polycloud_emulator::Emulator;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::lab::{CREDENTIALS, REGION};
use crate::paused::RuntimeClock;

/// Asks EC2 for something, and tells the document that it answers.
pub(crate) async fn ask(
    emulator: &Arc<Emulator>,
    clock: &RuntimeClock,
    action: &str,
    parameters: &[(&str, &str)],
) -> String {
    let mut body = format!("Action={action}&Version=2016-11-15");
    for (name, value) in parameters {
        body.push_str(&format!("&{name}={}", encode(value)));
    }
    let (host, form) = ("127.0.0.1", "application/x-www-form-urlencoded");
    let (id, secret) = CREDENTIALS;
    let identity = aws_credential_types::Credentials::new(id, secret, None, None, "test").into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(REGION)
        .name("ec2")
        .time(clock.now())
        .settings(SigningSettings::default())
        .build()
        .unwrap();
    let headers = [("host", host), ("content-type", form)];
    let payload = SignableBody::Bytes(body.as_bytes());
    let uri = format!("http://{host}/");
    let request = SignableRequest::new("POST", uri, headers.into_iter(), payload).unwrap();
    let (instructions, _) = sign(request, &params.into()).unwrap().into_parts();
    let mut head = format!("POST / HTTP/1.1\r\nhost: {host}\r\ncontent-type: {form}\r\n");
    for header in instructions.into_parts().0 {
        head.push_str(&format!("{}: {}\r\n", header.name(), header.value()));
    }
    head.push_str(&format!("connection: close\r\ncontent-length: {}\r\n\r\n", body.len()));
    let (mut ours, theirs) = tokio::io::duplex(1 << 20);
    tokio::spawn(emulator.serve_ec2(theirs));
    ours.write_all((head + &body).as_bytes()).await.unwrap();
    let mut answer = String::new();
    ours.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{action}: {answer}");
    answer
}

/// The text of the first element of this name.
pub(crate) fn element(text: &str, name: &str) -> String {
    let (_, rest) = text.split_once(&format!("<{name}>")).unwrap();
    rest.split_once('<').unwrap().0.to_owned()
}

fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
