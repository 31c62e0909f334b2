//! The scripts in user data.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Parts of user data of several parts that are looked at.
const MAX_PARTS: usize = 64;

/// The scripts, in order: all of it, or those of its parts that begin with `#!`.
pub(super) fn of(data: &[u8]) -> Vec<Vec<u8>> {
    if is_script(data) {
        return vec![data.to_vec()];
    }
    parts(data).unwrap_or_default().into_iter().filter(|part| is_script(part)).collect()
}

fn is_script(data: &[u8]) -> bool {
    data.starts_with(b"#!")
}

/// The bodies of the parts of a MIME document; None: it is none.
fn parts(data: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (headers, body) = split(data)?;
    let kind = header(&headers, "content-type")?;
    if !kind.to_ascii_lowercase().starts_with("multipart/") {
        return None;
    }
    let boundary = kind.split(';').find_map(|parameter| {
        let (name, value) = parameter.trim().split_once('=')?;
        name.eq_ignore_ascii_case("boundary").then(|| value.trim_matches('"').to_owned())
    })?;
    let delimiter = format!("--{boundary}").into_bytes();
    let mut found = Vec::new();
    let mut part: Option<Vec<&[u8]>> = None;
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let bare = line.trim_ascii_end();
        if let Some(rest) = bare.strip_prefix(delimiter.as_slice())
            && (rest.is_empty() || rest == b"--")
        {
            found.extend(part.take().and_then(|lines| content(&lines)));
            if !rest.is_empty() || found.len() >= MAX_PARTS {
                break;
            }
            part = Some(Vec::new());
        } else if let Some(lines) = &mut part {
            lines.push(line);
        }
    }
    Some(found)
}

/// What is in a part; its encodings are undone.
fn content(lines: &[&[u8]]) -> Option<Vec<u8>> {
    let whole = lines.concat();
    let (headers, body) = split(&whole)?;
    // The end of the last line belongs to the delimiter.
    let body = body.strip_suffix(b"\n").unwrap_or(body);
    let body = body.strip_suffix(b"\r").unwrap_or(body);
    let encoding = header(&headers, "content-transfer-encoding").unwrap_or_default();
    if encoding.eq_ignore_ascii_case("base64") {
        let packed = body.iter().copied().filter(|byte| !byte.is_ascii_whitespace());
        return STANDARD.decode(packed.collect::<Vec<_>>()).ok();
    }
    Some(body.to_vec())
}

/// Headers, in lines that are not continued, and what follows the empty line behind them.
fn split(data: &[u8]) -> Option<(Vec<String>, &[u8])> {
    let mut headers = Vec::<String>::new();
    let mut rest = data;
    loop {
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let (line, behind) = rest.split_at_checked(end + 1)?;
        rest = behind;
        let line = std::str::from_utf8(line).ok()?;
        if line.trim_end().is_empty() {
            return Some((headers, rest));
        }
        match headers.last_mut() {
            Some(last) if line.starts_with([' ', '\t']) => last.push_str(line.trim_end()),
            _ if line.contains(':') || line.starts_with("From ") => {
                headers.push(line.trim_end().to_owned());
            }
            _ => return None,
        }
    }
}

fn header(headers: &[String], wanted: &str) -> Option<String> {
    headers.iter().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case(wanted).then(|| value.trim().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_script_or_none() {
        assert_eq!(of(b"#!/bin/sh\necho\n"), [b"#!/bin/sh\necho\n"]);
        for none in ["", "#cloud-config\npackages: []\n", "Content-Type: text/plain\n\n#!/bin/sh\n"]
        {
            assert!(of(none.as_bytes()).is_empty(), "{none}");
        }
    }

    #[test]
    fn scripts_among_parts() {
        let document = "Content-Type: multipart/mixed;\r\n boundary=\"==b==\"\r\nMIME-Version: 1.0\r\n\r\n\
                        --==b==\r\nContent-Type: text/cloud-config; charset=\"us-ascii\"\r\n\r\n\
                        #cloud-config\r\nusers: []\r\n\r\n\
                        --==b==\r\nContent-Type: text/x-shellscript\r\n\r\n#!/bin/sh\necho one\n\r\n\
                        --==b==\r\nContent-Type: text/x-shellscript\r\n\
                        Content-Transfer-Encoding: base64\r\n\r\nIyEvYmluL3NoCmVj\r\naG8gdHdvCg==\r\n\
                        --==b==--\r\nepilogue\r\n";
        let found = of(document.as_bytes());
        assert_eq!(found, [&b"#!/bin/sh\necho one\n"[..], b"#!/bin/sh\necho two\n"]);
        let plain = document.replace("\r\n", "\n");
        assert_eq!(of(plain.as_bytes()).len(), 2);
    }
}
