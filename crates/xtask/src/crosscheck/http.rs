//! Requests that are sent as they are: by whoever has a signed URL, and no client.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(20);

/// Bytes of an answer. What is asked for here is far smaller.
const LARGEST: u64 = 1024 * 1024;

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    fn parse(bytes: &[u8]) -> anyhow::Result<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        let (head, body) = bytes.split_at(end.context("the answer has no end of its headers")?);
        let head = String::from_utf8_lossy(head).into_owned();
        let status = head.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1));
        let status = status.and_then(|status| status.parse().ok());
        Ok(Self {
            status: status.with_context(|| format!("the answer begins with `{head}`"))?,
            body: body.get(4..).unwrap_or_default().to_vec(),
            head,
        })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().filter_map(|line| line.split_once(':')).find_map(|(found, value)| {
            found.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// Sends a request on a connection of its own. The URL is sent byte for byte.
pub(crate) async fn send(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> anyhow::Result<Answer> {
    let rest = url.strip_prefix("http://").context("the URL is not one of plain HTTP")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let address: SocketAddr = authority.parse().with_context(|| format!("host `{authority}`"))?;
    let path = if path.is_empty() { "/" } else { path };
    // In the older protocol nothing comes in chunks.
    let mut request = format!("{method} {path} HTTP/1.0\r\nHost: {authority}\r\n");
    for (name, value) in headers {
        ensure!(!value.contains(['\r', '\n']), "a header of two lines");
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request.as_bytes()).await?;
        stream.write_all(body).await?;
        let mut answer = Vec::new();
        stream.take(LARGEST).read_to_end(&mut answer).await?;
        anyhow::Ok(answer)
    };
    Answer::parse(&timeout(LIMIT, exchange).await.context("no answer")??)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_have_a_status_headers_and_a_body() {
        let answer =
            Answer::parse(b"HTTP/1.1 206 Partial\r\nETag: \"1\"\r\n\r\na\r\n\r\nb").unwrap();
        assert_eq!((answer.status, &*answer.body), (206, &b"a\r\n\r\nb"[..]));
        assert_eq!(answer.header("etag"), Some("\"1\""));
        assert_eq!(answer.header("date"), None);
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        assert!(Answer::parse(b"HTTP/1.1 200 OK\r\n").is_err());
        assert!(Answer::parse(b"hello\r\n\r\n").is_err());
    }
}
