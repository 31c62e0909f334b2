use polycloud_core::ErrorKind;
use polycloud_core::checksum::ChecksumAlgorithm;
use proptest::prelude::*;
use serde_json::json;

use super::endpoint::Base;
use super::*;

fn session(variables: &[(&str, &str)], config: &str) -> Session {
    let files = [("/home/me/.aws/config", config)];
    let home = [("HOME", "/home/me")];
    let variables: Vec<_> = home.iter().chain(variables).copied().collect();
    Session::new().with_environment(Environment::new(&variables, &files))
}

async fn resolve(config: &S3Config, variables: &[(&str, &str)], file: &str) -> Result<Resolved> {
    config.resolve(&session(variables, file)).await
}

async fn url(config: &S3Config, variables: &[(&str, &str)], file: &str) -> String {
    let resolved = resolve(config, variables, file).await.unwrap();
    resolved.endpoint.uri(Some("a/b"), "").unwrap().to_string()
}

fn keyed(bucket: &str) -> S3Config {
    S3Config::new(bucket).with_credentials("AKID", "hunter2")
}

/// A configuration, variables, `~/.aws/config`, and what comes of them.
type Row<'a> = (&'a S3Config, &'a [(&'a str, &'a str)], &'a str, &'a str);

#[tokio::test]
async fn the_region_is_looked_for_in_its_places() {
    let profile = "[default]\nregion = eu-north-1\n[profile other]\nregion = ap-south-1\n";
    let config = keyed("bucket");
    let rows: [Row<'_>; 6] = [
        (&config.clone().with_region("us-west-2"), &[("AWS_REGION", "x")], profile, "us-west-2"),
        (
            &config,
            &[("AWS_REGION", "sa-east-1"), ("AWS_DEFAULT_REGION", "x")],
            profile,
            "sa-east-1",
        ),
        (&config, &[("AWS_REGION", ""), ("AWS_DEFAULT_REGION", "ca-west-1")], profile, "ca-west-1"),
        (&config, &[], profile, "eu-north-1"),
        (&config, &[("AWS_PROFILE", "other")], profile, "ap-south-1"),
        (&S3Config::new("bucket").with_profile("other"), &[], profile, "ap-south-1"),
    ];
    for (config, variables, file, region) in rows {
        let resolved = resolve(config, variables, file).await.unwrap();
        assert_eq!(resolved.account.region, region);
        let expected = format!("https://bucket.s3.{region}.amazonaws.com/a/b");
        assert_eq!(url(config, variables, file).await, expected);
    }
    let error = resolve(&config, &[], "").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().contains("AWS_REGION") && error.message().contains("?region="));
}

#[tokio::test]
async fn the_endpoint_is_looked_for_in_its_places() {
    let file = "[default]\nservices = mine\nendpoint_url = https://profile.example\n\
                [services mine]\ns3 =\n  endpoint_url = https://s3.profile.example\n";
    let plain = "[default]\nendpoint_url = https://profile.example\n";
    let off = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
    let all = ("AWS_ENDPOINT_URL", "https://all.example");
    let own = ("AWS_ENDPOINT_URL_S3", "https://own.example");
    let config = keyed("bucket").with_region("eu-west-1");
    let field = config.clone().with_endpoint("https://field.example/base/");
    let rows: [Row<'_>; 8] = [
        (&field, &[all, own], file, "https://field.example/base/bucket/a/b"),
        (&field, &[off], file, "https://field.example/base/bucket/a/b"),
        (&config, &[all, own], file, "https://own.example/bucket/a/b"),
        (&config, &[all], file, "https://all.example/bucket/a/b"),
        (&config, &[], file, "https://s3.profile.example/bucket/a/b"),
        (&config, &[], plain, "https://profile.example/bucket/a/b"),
        (&config, &[off, all, own], file, "https://bucket.s3.eu-west-1.amazonaws.com/a/b"),
        (
            &config,
            &[("AWS_ENDPOINT_URL", "https://s3.dualstack.eu-west-1.amazonaws.com")],
            "",
            "https://bucket.s3.dualstack.eu-west-1.amazonaws.com/a/b",
        ),
    ];
    for (config, variables, file, expected) in rows {
        assert_eq!(url(config, variables, file).await, expected);
    }
}

#[tokio::test]
async fn buckets_are_in_the_host_where_they_can_be() {
    let on = |endpoint: &str, bucket: &str| {
        keyed(bucket).with_region("eu-west-1").with_endpoint(endpoint).with_preset(Preset::Aws)
    };
    let amazon = keyed("my.bucket").with_region("eu-west-1");
    for (config, expected) in [
        (
            keyed("bucket").with_region("cn-north-1"),
            "https://bucket.s3.cn-north-1.amazonaws.com.cn/a/b",
        ),
        (amazon.clone(), "https://s3.eu-west-1.amazonaws.com/my.bucket/a/b"),
        (
            keyed("Old_Bucket").with_region("us-east-1"),
            "https://s3.us-east-1.amazonaws.com/Old_Bucket/a/b",
        ),
        (
            keyed("bucket").with_region("us-east-1").with_path_style(true),
            "https://s3.us-east-1.amazonaws.com/bucket/a/b",
        ),
        (on("https://s3.example", "bucket"), "https://bucket.s3.example/a/b"),
        (on("http://127.0.0.1:9000", "bucket"), "http://127.0.0.1:9000/bucket/a/b"),
        (on("http://localhost:9000", "bucket"), "http://localhost:9000/bucket/a/b"),
        (
            on("http://localhost:9000", "bucket").with_path_style(false),
            "http://bucket.localhost:9000/a/b",
        ),
        (on("https://[::1]:443", "bucket"), "https://[::1]/bucket/a/b"),
        (
            on("https://s3.example", "bucket").with_preset(Preset::Minio),
            "https://s3.example/bucket/a/b",
        ),
        (
            on("https://s3.example", "bucket").with_preset(Preset::Minio).with_path_style(false),
            "https://bucket.s3.example/a/b",
        ),
    ] {
        assert_eq!(url(&config, &[], "").await, expected);
    }
    for config in [amazon, on("http://127.0.0.1:9000", "bucket")] {
        let error = resolve(&config.with_path_style(false), &[], "").await.unwrap_err();
        assert!(error.message().contains("path_style=true"), "{error}");
    }
}

#[tokio::test]
async fn services_differ() {
    let at = |endpoint: &str| keyed("bucket").with_endpoint(endpoint);
    let resolved = resolve(&at("https://s3.example"), &[], "").await.unwrap();
    assert_eq!(resolved.account.region, "us-east-1");
    assert_eq!(resolved.account.quirks, Preset::Generic.quirks());
    assert_eq!(resolved.account.checksum, None);
    let r2 = at("https://1.r2.cloudflarestorage.com").with_preset(Preset::R2);
    assert_eq!(resolve(&r2, &[], "").await.unwrap().account.region, "auto");
    let config = keyed("bucket").with_region("eu-west-1");
    let checksum =
        async |config: S3Config| resolve(&config, &[], "").await.unwrap().account.checksum;
    assert_eq!(checksum(config.clone()).await, Some(ChecksumAlgorithm::Crc64Nvme));
    assert_eq!(checksum(config.clone().with_checksum(UploadChecksum::None)).await, None);
    let sha = config.with_checksum(UploadChecksum::Sha256);
    assert_eq!(checksum(sha).await, Some(ChecksumAlgorithm::Sha256));
}

#[tokio::test]
async fn plain_http_takes_a_decision() {
    let at = |endpoint: &str| keyed("bucket").with_endpoint(endpoint);
    for endpoint in ["http://127.0.0.1:9000", "http://localhost:9000", "http://[::1]:9000"] {
        assert!(resolve(&at(endpoint), &[], "").await.is_ok(), "{endpoint}");
    }
    let config = keyed("bucket");
    assert!(resolve(&config, &[("AWS_ENDPOINT_URL", "http://127.0.0.2")], "").await.is_ok());
    for endpoint in ["http://s3.example", "http://127.0.0.1.example", "http://10.0.0.1:9000"] {
        let error = resolve(&at(endpoint), &[], "").await.unwrap_err();
        assert!(error.message().contains("allow_http=true"), "{error}");
        assert!(resolve(&at(endpoint).with_allow_http(true), &[], "").await.is_ok());
        let anonymous = S3Config::new("bucket").with_endpoint(endpoint).with_anonymous(true);
        assert!(resolve(&anonymous, &[], "").await.is_ok());
    }
}

#[tokio::test]
async fn contradictions_are_named() {
    let config = S3Config::new("bucket").with_region("eu-west-1");
    let keyed = keyed("bucket").with_region("eu-west-1");
    let mut lonely = config.clone();
    lonely.access_key_id = Some("AKID".into());
    let mut none = keyed.clone().with_max_attempts(0);
    none.bucket = None;
    for (config, words) in [
        (lonely, "secret_access_key"),
        (config.clone().with_session_token("t"), "session_token"),
        (keyed.clone().with_anonymous(true), "anonymous=true"),
        (config.clone().with_anonymous(true).with_profile("p"), "anonymous=true"),
        (keyed.clone().with_profile("p"), "exclude"),
        (config.clone().with_external_id("x"), "role_arn"),
        (config.clone().with_sse_kms_key_id("k"), "sse=kms"),
        (keyed.clone().with_max_attempts(0), "max_attempts"),
        (config.clone().with_profile("nobody"), "no profile \"nobody\""),
        (S3Config::default(), "s3://bucket"),
        (S3Config::new("arn:aws:s3:eu-west-1:1:accesspoint/a"), "alias"),
        (S3Config::new("a/b").with_region("eu-west-1"), "lower-case"),
        (config.clone().with_region("eu-west-1.evil.example"), "region"),
    ] {
        let config = if config.region.is_none() { config.with_region("eu-west-1") } else { config };
        let error = resolve(&config, &[], "").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.message().contains(words), "{words}: {error}");
        assert!(!error.to_string().contains("hunter2"));
    }
    let broken = "[default\nregion = x\n";
    let error = resolve(&keyed, &[], broken).await.unwrap_err();
    assert!(error.message().contains("~/.aws/config"), "{error}");
}

#[test]
fn secrets_are_read_and_neither_written_nor_printed() {
    let config: S3Config = serde_json::from_value(json!({
        "bucket": "b", "access_key_id": "AKID", "secret_access_key": "hunter2",
        "session_token": "hunter3", "preset": "minio", "checksum": "crc64nvme", "sse": "kms",
    }))
    .unwrap();
    assert_eq!(config.secret_access_key.as_ref().unwrap().expose(), "hunter2");
    assert_eq!(config.checksum, Some(UploadChecksum::Crc64Nvme));
    let written = serde_json::to_value(&config).unwrap();
    assert_eq!(
        written,
        json!({
            "bucket": "b", "access_key_id": "AKID", "preset": "minio", "checksum": "crc64nvme",
            "sse": "kms",
        })
    );
    for shown in [format!("{config:?}"), format!("{config:#?}"), written.to_string()] {
        assert!(!shown.contains("hunter"), "{shown}");
    }
    assert!(format!("{config:?}").contains("secret_access_key: <redacted>"));
    let more = json!({"bucket": "b", "secret": "x"});
    assert!(serde_json::from_value::<S3Config>(more).is_err());
    assert_eq!(serde_json::to_value(S3Config::default()).unwrap(), json!({}));
}

#[test]
fn what_is_no_endpoint_is_refused() {
    for url in [
        "",
        "s3.example.com",
        "ftp://s3.example.com",
        "https://",
        "https:///path",
        "https://user:pw@s3.example.com",
        "https://a@b",
        "https://s3.example.com?x=1",
        "https://s3.example.com/#f",
        "https://s3.example.com/a b",
        "https://s3.example.com:port",
        "https://s3.example.com:",
        "https://s3.example.com:99999",
        "https://s3..example.com",
        "https://s3.example.com/../x",
        "https://s3.example.com\\@evil",
        "https://s3\u{3002}example",
        "https://[::1",
        "https://[evil]",
        "https://::1",
        "https://s3.example.com\r\nx: y",
        "https://%73.example",
        "https://s3.example.com:+80",
    ] {
        let error = Base::parse(url).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{url}");
        assert!(!error.to_string().contains("pw"), "{error}");
    }
    for (given, kept) in [
        ("HTTPS://S3.Example.com:443/", "https://s3.example.com"),
        ("http://h:80", "http://h"),
        ("http://[::1]:9000/minio/", "http://[::1]:9000/minio"),
        ("https://under_score.example:8443/a/b", "https://under_score.example:8443/a/b"),
    ] {
        assert_eq!(Base::parse(given).unwrap().url(), kept);
    }
}

fn hostile() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9@#\\\\/?:.%\r\n \u{3002}-]{0,20}", "[a-z0-9.-]{1,20}", any::<String>(),]
}

proptest! {
    #[test]
    fn no_bucket_changes_the_host(bucket in hostile(), region in "[a-z]{2}-[a-z]{4}-[1-9]", path_style: bool) {
        let base = Base::of_service("s3", &region).unwrap();
        let Ok(endpoint) = base.bucket(&bucket, path_style) else { return Ok(()) };
        let uri = endpoint.uri(Some("key"), "").unwrap();
        let host = format!("s3.{region}.amazonaws.com");
        if path_style {
            prop_assert_eq!(uri.authority().unwrap().as_str(), &host);
            prop_assert_eq!(uri.path(), format!("/{bucket}/key"));
        } else {
            prop_assert_eq!(uri.authority().unwrap().as_str(), format!("{bucket}.{host}"));
            prop_assert_eq!(uri.path(), "/key");
        }
    }

    #[test]
    fn no_region_changes_the_domain(region in hostile()) {
        let Ok(base) = Base::of_service("s3", &region) else { return Ok(()) };
        let uri = base.bucket("bucket", false).unwrap().uri(None, "").unwrap();
        let host = uri.host().unwrap();
        let begin = format!("bucket.s3.{region}.");
        prop_assert!(host.starts_with(&begin), "{}", host);
        let domains = ["amazonaws.com", "amazonaws.com.cn", "amazonaws.eu", "c2s.ic.gov", "sc2s.sgov.gov"];
        prop_assert!(domains.contains(&&host[begin.len()..]), "{}", host);
    }

    #[test]
    fn no_endpoint_means_another_host_to_others(rest in hostile()) {
        let url = format!("https://{rest}");
        let Ok(base) = Base::parse(&url) else { return Ok(()) };
        let uri: http::Uri = url.parse().unwrap();
        let ours = base.bucket("bucket", true).unwrap().uri(None, "").unwrap();
        prop_assert_eq!(ours.host().unwrap(), uri.host().unwrap().to_ascii_lowercase());
        prop_assert!(!url.contains('@'));
    }

    #[test]
    fn no_key_and_no_query_change_the_host(key in any::<String>(), value in any::<String>()) {
        let (mut path, mut query) = (String::new(), String::new());
        polycloud_wire::encode::path(&key, &mut path);
        polycloud_wire::encode::query(&[("prefix", &value)], &mut query);
        let base = Base::of_service("s3", "eu-west-1").unwrap();
        for path_style in [true, false] {
            let uri = base.bucket("bucket", path_style).unwrap().uri(Some(&path), &query).unwrap();
            prop_assert!(uri.host().unwrap().ends_with("s3.eu-west-1.amazonaws.com"));
            prop_assert!(uri.path().ends_with(&path));
            prop_assert_eq!(uri.query().unwrap(), &query);
        }
    }
}
