//! Where credentials come from, each source in a process of its own, because variables belong to processes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::process::{Command, Output};

use polycloud_aws::{Preset, S3Config, Session};
use polycloud_core::object::{Key, ObjectStore, PutOptions};
use polycloud_emulator::{Emulator, Fault, Rule, Service};
use tempfile::TempDir;

/// Holds the configuration of the other process.
const CONFIG: &str = "POLYCLOUD_TEST_CONFIG";

/// What the other process does: it puts several objects at once, and one after them.
#[tokio::test]
#[ignore = "runs in a process of its own, started by the other tests"]
#[allow(clippy::disallowed_methods, reason = "it is told by variables what to do")]
async fn child() {
    let config: S3Config = serde_json::from_str(&std::env::var(CONFIG).unwrap()).unwrap();
    let store = match config.open(&Session::new()).await {
        Ok(store) => store,
        Err(error) => return println!("refused: {:?}: {error}", error.kind()),
    };
    let put = async |n: usize| {
        let key = Key::new(format!("k{n}")).unwrap();
        store.put(&key, "content".into(), &PutOptions::default()).await
    };
    let mut results = futures::future::join_all((0..8).map(put)).await;
    results.push(put(8).await);
    for result in results {
        match result {
            Ok(_) => println!("done"),
            Err(error) => println!("failed: {:?}: {error}", error.kind()),
        }
    }
}

/// A home directory and variables for another process.
struct Machine {
    emulator: Emulator,
    home: TempDir,
    variables: Vec<(&'static str, String)>,
}

impl Machine {
    async fn new() -> Self {
        let emulator = Emulator::start().await.unwrap();
        emulator.create_bucket("bucket").unwrap();
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join(".aws")).unwrap();
        let variables = vec![
            ("HOME", home.path().to_str().unwrap().to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ENDPOINT_URL_S3", emulator.s3_url()),
            ("AWS_ENDPOINT_URL_STS", emulator.sts_url()),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", emulator.imds_url()),
        ];
        Self { emulator, home, variables }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    fn file(&self, name: &str, content: &str) -> String {
        let path = self.home.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The files of profiles: one of them has the keys of the emulator.
    fn with_profiles(self, config: &str) -> Self {
        let account = self.emulator.credentials();
        let keys = format!(
            "[keys]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
            account.access_key, account.secret_key
        );
        self.file(".aws/credentials", &keys);
        self.file(".aws/config", config);
        self
    }

    async fn run(&self, config: S3Config) -> String {
        let mut written = serde_json::to_value(&config).unwrap();
        // Secrets are not written by themselves.
        if let Some(secret) = &config.secret_access_key {
            written["secret_access_key"] = secret.expose().into();
        }
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "child", "--ignored", "--nocapture"]);
        command.env_clear().envs(self.variables.iter().map(|(name, value)| (*name, value)));
        command.env(CONFIG, written.to_string());
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap();
        let Output { status, stdout, stderr } = output.unwrap();
        let text = String::from_utf8_lossy(&stdout).into_owned();
        assert!(status.success(), "{text}\n{}", String::from_utf8_lossy(&stderr));
        text
    }

    /// Runs and expects all writes to succeed, signed by credentials that are or are not temporary.
    async fn succeeds(&self, config: S3Config, temporary: bool) {
        let text = self.run(config).await;
        assert_eq!(text.matches("done").count(), 9, "{text}");
        for request in self.emulator.journal().requests() {
            if request.service == Service::S3 && request.status == Some(200) {
                let key = request.signed_by.unwrap();
                assert_eq!(key != self.emulator.credentials().access_key, temporary, "{key}");
            }
        }
    }

    fn asked(&self, service: Service) -> usize {
        let requests = self.emulator.journal().requests();
        requests.iter().filter(|request| request.service == service).count()
    }

    fn count(&self, operation: &str) -> usize {
        self.emulator.journal().count(operation)
    }
}

fn config() -> S3Config {
    S3Config::new("bucket").with_preset(Preset::Aws)
}

#[tokio::test(flavor = "multi_thread")]
async fn variables() {
    let machine = Machine::new().await;
    let account = machine.emulator.credentials().clone();
    let machine = machine
        .with("AWS_ACCESS_KEY_ID", account.access_key)
        .with("AWS_SECRET_ACCESS_KEY", account.secret_key);
    machine.succeeds(config(), false).await;
    assert_eq!((machine.asked(Service::Imds), machine.asked(Service::Sts)), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile() {
    let machine = Machine::new().await.with_profiles("").with("AWS_PROFILE", "keys");
    machine.succeeds(config(), false).await;
    // Named in the configuration, it counts for more than variables.
    let machine = Machine::new().await.with_profiles("");
    let machine = machine.with("AWS_ACCESS_KEY_ID", "x").with("AWS_SECRET_ACCESS_KEY", "y");
    machine.succeeds(config().with_profile("keys"), false).await;
    assert_eq!(machine.asked(Service::Imds), 0);
    let text = machine.run(config().with_profile("nobody")).await;
    assert!(text.contains("refused: Config") && text.contains("nobody"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_of_a_profile() {
    let profiles = "[profile work]\nrole_arn = arn:aws:iam::111122223333:role/work\n\
                    source_profile = keys\n";
    let machine = Machine::new().await.with_profiles(profiles).with("AWS_PROFILE", "work");
    machine.succeeds(config(), true).await;
    assert_eq!((machine.count("AssumeRole"), machine.asked(Service::Imds)), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role() {
    let machine = Machine::new().await;
    let account = machine.emulator.credentials().clone();
    let config = config()
        .with_credentials(account.access_key, account.secret_key)
        .with_role_arn("arn:aws:iam::111122223333:role/work")
        .with_external_id("partner");
    machine.succeeds(config, true).await;
    assert_eq!((machine.count("AssumeRole"), machine.asked(Service::Imds)), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_identity() {
    let machine = Machine::new().await;
    let token = machine.file("token", "opaque");
    let machine = machine
        .with("AWS_WEB_IDENTITY_TOKEN_FILE", token)
        .with("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/pod");
    machine.succeeds(config(), true).await;
    let asked = (machine.count("AssumeRoleWithWebIdentity"), machine.asked(Service::Imds));
    assert_eq!(asked, (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container() {
    let machine = Machine::new().await;
    let url = machine.emulator.container_credentials_url();
    let machine = machine.with("AWS_CONTAINER_CREDENTIALS_FULL_URI", url);
    machine.succeeds(config(), true).await;
    assert_eq!((machine.count("GetContainerCredentials"), machine.count("GetToken")), (1, 0));

    let machine = Machine::new().await;
    let (url, token) = machine.emulator.pod_credentials();
    let token = machine.file("pod-token", &token);
    let machine = machine
        .with("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
        .with("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token);
    machine.succeeds(config(), true).await;
    assert_eq!((machine.count("GetContainerCredentials"), machine.count("GetToken")), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance() {
    let machine = Machine::new().await;
    machine.succeeds(config(), true).await;
    // All eight that were sent at once waited for one fetch.
    assert_eq!((machine.count("GetToken"), machine.count("GetCredentials")), (1, 1));
    assert_eq!(machine.count("PutObject"), 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_expired_are_fetched_again() {
    let machine = Machine::new().await;
    machine.emulator.faults().push(Rule::new(Fault::ExpiredToken).operation("PutObject").nth(9));
    machine.succeeds(config(), true).await;
    assert_eq!((machine.count("GetCredentials"), machine.count("PutObject")), (2, 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn none() {
    let machine = Machine::new().await.with("AWS_EC2_METADATA_DISABLED", "true");
    let text = machine.run(config()).await;
    assert_eq!(text.matches("failed: Unauthenticated").count(), 9, "{text}");
    for advice in ["AWS_ACCESS_KEY_ID", "AWS_PROFILE", "anonymous=true"] {
        assert!(text.contains(advice), "{text}");
    }
    assert_eq!((machine.asked(Service::Imds), machine.asked(Service::S3)), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn anonymous() {
    let machine = Machine::new().await;
    machine.emulator.make_bucket_public("bucket").unwrap();
    let text = machine.run(config().with_anonymous(true)).await;
    assert_eq!(text.matches("done").count(), 9, "{text}");
    assert_eq!(machine.asked(Service::Imds), 0);
    let requests = machine.emulator.journal().requests();
    assert!(requests.iter().all(|request| request.signed_by.is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_region_of_an_instance_is_not_asked_for() {
    let mut machine = Machine::new().await;
    machine.variables.retain(|(name, _)| !matches!(*name, "AWS_REGION" | "AWS_ENDPOINT_URL_S3"));
    let text = machine.run(S3Config::new("bucket")).await;
    assert!(text.contains("refused: Config") && text.contains("AWS_REGION"), "{text}");
    assert_eq!(machine.asked(Service::Imds), 0);
}
