//! A client without a library of HTTP, so that what is sent and what comes back is known byte for byte.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail as tests do"
)]

use std::time::{Duration, SystemTime};

use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
    SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use polycloud_emulator::{Credentials, Emulator, EmulatorClock};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream};

pub const HOST: &str = "127.0.0.1";

/// 2013-05-24T00:00:00Z, the time of the examples of AWS.
pub fn start() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_369_353_600)
}

/// An emulator without sockets, with a clock that stands still and the bucket `bucket`.
pub fn emulator() -> Emulator {
    let clock = EmulatorClock::manual(start());
    let emulator = Emulator::builder().clock(clock).build().unwrap();
    emulator.create_bucket("bucket").unwrap();
    emulator
}

/// A connection to S3 in memory.
pub fn connect(emulator: &Emulator) -> DuplexStream {
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    tokio::spawn(emulator.serve_s3(theirs));
    ours
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The text of the first element of this name.
    pub fn element(&self, name: &str) -> Option<String> {
        element(self.text(), name)
    }

    pub fn code(&self) -> String {
        self.element("Code").unwrap_or_default()
    }
}

pub fn element(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (value, _) = rest.split_once(&format!("</{name}>"))?;
    Some(value.to_owned())
}

/// A request before it is signed.
#[derive(Debug, Clone)]
pub struct Call {
    pub method: &'static str,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// What the signature says of the body; None: its digest.
    pub payload: Option<SignableBody<'static>>,
    pub region: &'static str,
    pub service: &'static str,
    pub time: SystemTime,
}

impl Call {
    pub fn new(method: &'static str, target: impl Into<String>) -> Self {
        Self {
            method,
            target: target.into(),
            headers: vec![("host".to_owned(), HOST.to_owned())],
            body: Vec::new(),
            payload: None,
            region: "us-east-1",
            service: "s3",
            time: start(),
        }
    }

    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub fn at(mut self, time: SystemTime) -> Self {
        self.time = time;
        self
    }

    /// Signed in the Authorization header.
    pub fn sign(self, credentials: &Credentials) -> Self {
        let mut settings = SigningSettings::default();
        settings.signature_location = SignatureLocation::Headers;
        self.signed(credentials, settings)
    }

    /// Signed in the query.
    pub fn presign(self, credentials: &Credentials, expires: Duration) -> Self {
        let mut settings = SigningSettings::default();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(expires);
        self.signed(credentials, settings)
    }

    fn signed(mut self, credentials: &Credentials, mut settings: SigningSettings) -> Self {
        let presign = settings.signature_location == SignatureLocation::QueryParams;
        if self.service == "s3" {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            if !presign {
                settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
            }
        }
        let identity = aws_credential_types::Credentials::new(
            &credentials.access_key,
            &credentials.secret_key,
            credentials.session_token.clone(),
            None,
            "test",
        )
        .into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region)
            .name(self.service)
            .time(self.time)
            .settings(settings)
            .build()
            .unwrap();
        let payload = match &self.payload {
            Some(payload) => payload.clone(),
            None if presign => SignableBody::UnsignedPayload,
            None => SignableBody::Bytes(&self.body),
        };
        let host = &self.headers.iter().find(|(name, _)| name == "host").unwrap().1;
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let uri = format!("http://{host}{}", self.target);
        let request = SignableRequest::new(self.method, uri, headers, payload).unwrap();
        let (instructions, _) = sign(request, &params.into()).unwrap().into_parts();
        let (headers, query) = instructions.into_parts();
        for header in headers {
            self.headers.push((header.name().to_owned(), header.value().to_owned()));
        }
        for (name, value) in query {
            let value = value
                .bytes()
                .map(|byte| match byte {
                    b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                        char::from(byte).to_string()
                    }
                    byte => format!("%{byte:02X}"),
                })
                .collect::<String>();
            self.target.push(if self.target.contains('?') { '&' } else { '?' });
            self.target.push_str(&format!("{name}={value}"));
        }
        self
    }

    /// The head as it is sent.
    pub fn head(&self) -> String {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let has = |wanted: &str| self.headers.iter().any(|(name, _)| name == wanted);
        if !has("content-length") && !has("transfer-encoding") && !self.body.is_empty() {
            head.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        head + "\r\n"
    }

    pub async fn send(&self, io: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Answer {
        self.try_send(io).await.expect("an answer")
    }

    /// None: the connection ended before the answer did.
    pub async fn try_send(&self, io: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Option<Answer> {
        io.write_all(self.head().as_bytes()).await.ok()?;
        // A server that has heard enough may close while the body is sent.
        let _ = io.write_all(&self.body).await;
        receive(io, self.method == "HEAD").await.ok()
    }

    /// Sends it on a connection of its own.
    pub async fn to(&self, emulator: &Emulator) -> Answer {
        self.send(&mut connect(emulator)).await
    }
}

/// Reads an answer; the error is what was received of one that is not complete.
pub async fn receive(io: &mut (impl AsyncRead + Unpin), head: bool) -> Result<Answer, Vec<u8>> {
    let mut all = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        if let Some(end) = all.windows(4).position(|window| window == b"\r\n\r\n") {
            let text = String::from_utf8(all[..end].to_vec()).unwrap();
            let mut lines = text.split("\r\n");
            let status = lines.next().unwrap()[9..12].parse::<u16>().unwrap();
            let headers = lines.map(|line| line.split_once(": ").unwrap());
            let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let mut answer = Answer { status, headers: headers.collect(), body: Vec::new() };
            if status == 100 {
                all.drain(..end + 4);
                continue;
            }
            let length = answer.header("content-length").map(|length| length.parse().unwrap());
            let length: usize = if head { 0 } else { length.unwrap_or(0) };
            if all.len() >= end + 4 + length {
                assert_eq!(all.len(), end + 4 + length, "more than announced");
                answer.body = all[end + 4..].to_vec();
                return Ok(answer);
            }
        }
        match io.read(&mut buffer).await {
            Ok(0) | Err(_) => return Err(all),
            Ok(read) => all.extend_from_slice(&buffer[..read]),
        }
    }
}

/// Puts an object with signed requests.
pub async fn put(emulator: &Emulator, key: &str, body: &str) -> Answer {
    let call = Call::new("PUT", format!("/bucket/{key}")).body(body);
    call.sign(emulator.credentials()).to(emulator).await
}

/// Gets an object with signed requests.
pub async fn get(emulator: &Emulator, key: &str) -> Answer {
    Call::new("GET", format!("/bucket/{key}")).sign(emulator.credentials()).to(emulator).await
}
