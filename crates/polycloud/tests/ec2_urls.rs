//! URLs of Amazon EC2: what they configure, and what they say when they do not.
#![cfg(feature = "aws-ec2")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use polycloud::aws::Ec2Config;
use polycloud::{ComputeBackend, ComputeConfig, ErrorKind, Registry};

/// What a URL has to say so that nothing else decides: neither variables nor files of this machine.
const COMPLETE: &str =
    "endpoint=https%3A%2F%2Fec2.example.com&access_key_id=AKID&secret_access_key=hunter2";

#[test]
fn a_file_and_a_url_configure_the_same() {
    let rows = [
        ("ec2://eu-west-1", r#"{"type": "ec2", "region": "eu-west-1"}"#),
        ("ec2:", r#"{"type": "ec2"}"#),
        (
            "ec2://us-east-1?endpoint=http%3A//127.0.0.1%3A4566&subnet=subnet-1",
            r#"{"type": "ec2", "region": "us-east-1", "subnet": "subnet-1",
                "endpoint": "http://127.0.0.1:4566"}"#,
        ),
        (
            "ec2://eu-west-1?journal=/var/lib/my%20jobs&max_attempts=3&profile=ci",
            r#"{"type": "ec2", "region": "eu-west-1", "profile": "ci", "max_attempts": 3,
                "journal": "/var/lib/my jobs"}"#,
        ),
    ];
    for (url, json) in rows {
        let from_url = ComputeConfig::from_url(url).unwrap();
        let from_json: ComputeConfig = serde_json::from_str(json).unwrap();
        assert_eq!(from_url, from_json, "{url}");
        assert_eq!(from_url.url().unwrap(), url);
        let written = serde_json::to_string(&from_url).unwrap();
        assert_eq!(serde_json::from_str::<ComputeConfig>(&written).unwrap(), from_url);
    }
    let typed = ComputeConfig::from(Ec2Config::new("eu-west-1").with_subnet("subnet-1"));
    assert_eq!(typed.url().unwrap(), "ec2://eu-west-1?subnet=subnet-1");
    assert_eq!(ComputeConfig::from_url("ec2://eu-west-1/?subnet=subnet-1").unwrap(), typed);
}

#[test]
fn secrets_are_in_no_url_and_no_text() {
    let config = ComputeConfig::from_url(&format!("ec2://eu-west-1?{COMPLETE}")).unwrap();
    let ComputeBackend::Ec2(ec2) = &config.backend else { panic!("{config:?}") };
    assert_eq!(ec2.secret_access_key.as_ref().unwrap().expose(), "hunter2");
    let shown =
        [config.url().unwrap(), serde_json::to_string(&config).unwrap(), format!("{config:?}")];
    for text in shown {
        assert!(text.contains("AKID") && !text.contains("hunter2"), "{text}");
    }
}

#[tokio::test]
async fn opening_sends_nothing() {
    let registry = Registry::default();
    assert!(registry.compute_schemes().any(|scheme| scheme == "ec2"));
    let compute = registry.open_compute(&format!("ec2://eu-west-1?{COMPLETE}")).await.unwrap();
    let info = compute.info();
    assert_eq!((info.provider, info.region.as_str()), ("aws", "eu-west-1"));
    assert!(info.url.starts_with("ec2://eu-west-1?endpoint="), "{info}");
    assert!(!format!("{compute:?} {info}").contains("hunter2"));
}

#[tokio::test]
async fn what_cannot_be_opened_names_the_fix() {
    let rows = [
        (format!("ec2://eu-west-1/a?{COMPLETE}"), "ec2://eu-west-1"),
        (format!("ec2:eu-west-1?{COMPLETE}"), "ec2://eu-west-1"),
        (
            format!("ec2://eu-west-1?region=other&{COMPLETE}"),
            "option `region` of ec2 is given twice",
        ),
        ("ec2://eu-west-1?subnte=x".into(), "did you mean `subnet`?"),
        ("ec2://eu-west-1?max_attempts=many".into(), "option `max_attempts`: it takes u32"),
        ("ec2://key:secret@eu-west-1".into(), "no user or password"),
        (
            "ec2://eu-west-1?endpoint=http%3A%2F%2Fec2.example.com&access_key_id=A&secret_access_key=hunter2".into(),
            "allow_http=true",
        ),
        ("ec2://eu-west-1?access_key_id=A".into(), "secret_access_key"),
        (format!("ec2://a%2Fb?{COMPLETE}"), "region"),
    ];
    for (url, fix) in rows {
        let error = polycloud::open_compute(&url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{url}");
        assert!(error.to_string().contains(fix), "{url}: {error}");
        assert!(!format!("{error:?}").contains("hunter2"));
    }
}
