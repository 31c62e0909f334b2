use polycloud_core::ErrorKind;

use super::*;

async fn urls(config: &Ec2Config, variables: &[(&str, &str)], file: &str) -> [String; 3] {
    let files = [("/home/me/.aws/config", file)];
    let home = [("HOME", "/home/me")];
    let variables: Vec<_> = home.iter().chain(variables).copied().collect();
    let session = Session::new().with_environment(Environment::new(&variables, &files));
    let resolved = config.resolve(&session).await.unwrap().endpoints;
    [resolved.ec2.url(), resolved.ssm.url(), resolved.quotas.url()]
}

fn keyed() -> Ec2Config {
    Ec2Config::new("eu-west-1").with_credentials("AKID", "hunter2")
}

#[tokio::test]
async fn services_are_where_they_are_told_to_be() {
    let amazon = [
        "https://ec2.eu-west-1.amazonaws.com",
        "https://ssm.eu-west-1.amazonaws.com",
        "https://servicequotas.eu-west-1.amazonaws.com",
    ];
    let all = ("AWS_ENDPOINT_URL", "https://all.example");
    let own = ("AWS_ENDPOINT_URL_EC2", "https://own.example");
    let ssm = ("AWS_ENDPOINT_URL_SSM", "https://ssm.example");
    let quotas = ("AWS_ENDPOINT_URL_SERVICE_QUOTAS", "https://quotas.example");
    let off = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
    let field = keyed().with_endpoint("https://field.example");
    let vpc = "https://vpce-1.ec2.eu-west-1.vpce.amazonaws.com";
    assert_eq!(urls(&keyed(), &[], "").await, amazon);
    assert_eq!(urls(&keyed(), &[off, all, own], "").await, amazon);
    let field_everywhere = ["https://field.example"; 3];
    assert_eq!(urls(&field, &[all, own, ssm], "").await, field_everywhere);
    assert_eq!(urls(&keyed(), &[all], "").await, ["https://all.example"; 3]);
    // What stands in for EC2 alone is not by-passed.
    assert_eq!(urls(&keyed(), &[own], "").await, ["https://own.example"; 3]);
    assert_eq!(
        urls(&keyed(), &[all, own, ssm, quotas], "").await,
        ["https://own.example", "https://ssm.example", "https://quotas.example"]
    );
    let file =
        "[default]\nservices = mine\n[services mine]\nec2 =\n  endpoint_url = https://p.example\n";
    assert_eq!(urls(&keyed(), &[], file).await, ["https://p.example"; 3]);
    assert_eq!(urls(&keyed().with_endpoint(vpc), &[], "").await, [vpc, amazon[1], amazon[2]]);
    let china = Ec2Config { region: Some("cn-north-1".into()), ..keyed() };
    assert_eq!(urls(&china, &[], "").await[0], "https://ec2.cn-north-1.amazonaws.com.cn");
}

#[tokio::test]
async fn mistakes_are_named() {
    for (config, word) in [
        (Ec2Config::default().with_credentials("A", "s"), "ec2://eu-west-1"),
        (keyed().with_region("eu west"), "region"),
        (keyed().with_endpoint("ftp://x"), "https://"),
        (keyed().with_endpoint("http://ec2.example"), "plain http"),
        (keyed().with_profile("p"), "exclude each other"),
        (keyed().with_external_id("x"), "role_arn"),
        (keyed().with_max_attempts(0), "max_attempts"),
        (Ec2Config { secret_access_key: None, ..keyed() }, "come together"),
    ] {
        let session = Session::new().with_environment(Environment::new(&[("HOME", "/h")], &[]));
        let error = config.open(&session).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{config:?}");
        assert!(error.message().contains(word), "{word}: {error}");
    }
}

#[tokio::test]
async fn what_is_written_opens_the_same_region_and_has_no_secret() {
    let config = keyed().with_endpoint("http://127.0.0.1:4566").with_hibernation(true);
    let text = serde_json::to_string(&config).unwrap();
    assert!(!text.contains("hunter2") && !format!("{config:?}").contains("hunter2"));
    let read: Ec2Config = serde_json::from_str(&text).unwrap();
    assert_eq!(read.endpoint, config.endpoint);
    assert!(serde_json::from_str::<Ec2Config>("{\"regoin\":\"x\"}").is_err());
    let session = Session::new().with_environment(Environment::new(&[], &[]));
    let compute = config.open(&session).await.unwrap();
    let url = "ec2://eu-west-1?endpoint=http%3A%2F%2F127.0.0.1%3A4566";
    assert_eq!(compute.0.info.url, url);
    assert!(compute.0.capabilities.has(polycloud_core::capability::Feature::StopSuspend));
    assert_eq!(keyed().open(&session).await.unwrap().0.info.url, "ec2://eu-west-1");
}
