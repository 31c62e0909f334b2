//! Our client against third-party servers.

pub(crate) mod compute;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use polycloud_aws::{Preset, S3Buckets, S3Config, Session};
use polycloud_conformance::{Harness, Outcome, Selection, StoreSetup};
use polycloud_core::Result;
use polycloud_core::capability::Capabilities;
use polycloud_core::clock::{Clock, Random as _, SystemClock, SystemRandom};
use polycloud_core::compute::Compute;
use polycloud_core::object::{
    BucketName, Buckets, CreateBucketOptions, DeleteBucketOptions, ObjectStore, StorageClass,
};
use tokio::process::Command;

use super::http::send;
use super::process::{Program, alone, free_port, logged};
use super::report::{Check, Verdict};
use super::{Bench, NotRun, install, signed};

const ACCESS_KEY: &str = "AKIACROSSCHECK000000";
const SECRET_KEY: &str = "crosscheck/secret+key/of/nobody000000000";

/// Calls to moto until it verifies signatures: those that make a user.
const CALLS: &str = "3";

/// What moto verifies only if it is told to.
const MOTO_CHECKS: [&str; 3] = [
    "MOTO_ENABLE_AMI_VALIDATION",
    "MOTO_ENABLE_KEYPAIR_VALIDATION",
    "MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION",
];

/// Everything is allowed.
const POLICY: &str = "%7B%22Version%22:%222012-10-17%22,%22Statement%22:%5B%7B%22Effect%22:%22Allow%22,\
                      %22Action%22:%22*%22,%22Resource%22:%22*%22%7D%5D%7D";

/// A server, and how our client is told to speak to it.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) name: &'static str,
    kind: Kind,
    preset: Preset,
    /// A storage class that it knows beside the default.
    class: Option<&'static str>,
    /// A region that buckets can be created in.
    location: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Moto,
    Ministack,
    S3sFs,
    Ceph,
}

pub(crate) const PARTS: &[Server] = &[
    Server {
        name: "servers/moto",
        kind: Kind::Moto,
        preset: Preset::Aws,
        class: Some("STANDARD_IA"),
        location: Some("eu-west-1"),
    },
    Server {
        name: "servers/ministack",
        kind: Kind::Ministack,
        preset: Preset::Aws,
        class: Some("STANDARD_IA"),
        location: Some("eu-west-1"),
    },
    Server {
        name: "servers/s3s-fs",
        kind: Kind::S3sFs,
        preset: Preset::Generic,
        class: Some("STANDARD_IA"),
        location: Some("eu-west-1"),
    },
    Server {
        name: "servers/ceph",
        kind: Kind::Ceph,
        preset: Preset::Ceph,
        class: Some("STANDARD"),
        location: None,
    },
];

/// Runs the conformance suite against a server, and lets it judge what our client signs.
pub(crate) async fn run(bench: &Bench, part: &Server) -> std::result::Result<Vec<Check>, NotRun> {
    let home = tempfile::tempdir().map_err(|error| error.to_string())?;
    let (_program, config) = start(bench, part, home.path()).await?;
    let checked = async {
        let mut checks = conformance(bench, part, &config).await?;
        checks.extend(signed::run(&config, &bench.checks).await?);
        anyhow::Ok(checks)
    };
    Ok(or_failure(checked.await))
}

async fn conformance(
    bench: &Bench,
    part: &Server,
    config: &S3Config,
) -> anyhow::Result<Vec<Check>> {
    run_suite(bench, Arc::new(Foreign::new(part, config).await?)).await
}

/// Runs the conformance suite, or the cases of it that were chosen.
async fn run_suite(bench: &Bench, harness: Arc<dyn Harness>) -> anyhow::Result<Vec<Check>> {
    // Half as many at a time and twice as long as for our own: some of these servers are slow.
    let mut selection =
        Selection::default().with_concurrency(4).with_timeout(Duration::from_secs(120));
    for name in &bench.checks {
        selection = selection.with_name(name);
    }
    let report = polycloud_conformance::run(harness, &selection).await;
    let check = |row: polycloud_conformance::Row| {
        let verdict = match row.outcome {
            Outcome::Failed(why) => Verdict::Failed(why),
            Outcome::Unsupported => Verdict::Unsupported,
            _ => Verdict::Passed,
        };
        Check::new(row.case.name, verdict)
    };
    Ok(report.rows.into_iter().map(check).collect())
}

/// A server that cannot be asked has failed: that it runs is known.
fn or_failure(checked: anyhow::Result<Vec<Check>>) -> Vec<Check> {
    checked.unwrap_or_else(|error| {
        vec![Check::new("(the server)", Verdict::Failed(format!("{error:#}")))]
    })
}

/// Starts a server, and tells how to reach it.
async fn start(
    bench: &Bench,
    part: &Server,
    home: &Path,
) -> std::result::Result<(Option<Program>, S3Config), NotRun> {
    let config =
        S3Config::default().with_region("us-east-1").with_path_style(true).with_preset(part.preset);
    if part.kind == Kind::Ceph {
        return ceph(bench, config).map(|config| (None, config));
    }
    let running = launch(bench, part.name, part.kind, home).await?;
    let config = config
        .with_endpoint(running.endpoint)
        .with_credentials(running.access_key, running.secret_key);
    Ok((Some(running.program), config))
}

/// A server that was started.
struct Running {
    program: Program,
    endpoint: String,
    access_key: String,
    secret_key: String,
}

/// Starts the program of a server, and waits until it answers.
async fn launch(
    bench: &Bench,
    part: &str,
    kind: Kind,
    home: &Path,
) -> std::result::Result<Running, NotRun> {
    let failed = |error: anyhow::Error| format!("{part} does not start: {error:#}");
    let address = free_port().map_err(failed)?;
    let (mut command, path) = command(bench, kind, address, home).await?;
    let started = async {
        logged(&mut command, &bench.log(part))?;
        let mut program = Program::start(&mut command)?;
        program.answers(address, path).await?;
        let (access_key, secret_key) = credentials(kind, address).await?;
        anyhow::Ok(Running {
            program,
            endpoint: format!("http://{address}"),
            access_key,
            secret_key,
        })
    };
    started.await.map_err(failed)
}

/// What to sign with.
async fn credentials(kind: Kind, address: SocketAddr) -> anyhow::Result<(String, String)> {
    if kind != Kind::Moto {
        return Ok((ACCESS_KEY.to_owned(), SECRET_KEY.to_owned()));
    }
    let user = "UserName=crosscheck&Version=2010-05-08";
    iam(address, &format!("Action=CreateUser&{user}")).await?;
    let answer = iam(address, &format!("Action=CreateAccessKey&{user}")).await?;
    iam(address, &format!("Action=PutUserPolicy&PolicyName=all&PolicyDocument={POLICY}&{user}"))
        .await?;
    let element = |name: &str| {
        let (_, rest) = answer.split_once(&format!("<{name}>"))?;
        rest.split_once("</").map(|(value, _)| value.to_owned())
    };
    element("AccessKeyId").zip(element("SecretAccessKey")).context("IAM tells no key")
}

/// One of the calls that moto accepts without a valid signature; it looks only for the service.
async fn iam(address: SocketAddr, form: &str) -> anyhow::Result<String> {
    let scope = "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/iam/aws4_request, \
                 SignedHeaders=host, Signature=0";
    let headers = [("Authorization", scope), ("Content-Type", "application/x-www-form-urlencoded")];
    let answer = send("POST", &format!("http://{address}/"), &headers, form.as_bytes()).await?;
    ensure!(answer.status == 200, "IAM answers with {}", answer.status);
    Ok(String::from_utf8_lossy(&answer.body).into_owned())
}

/// How a server is started, and a path that it answers once it is ready.
async fn command(
    bench: &Bench,
    kind: Kind,
    address: SocketAddr,
    home: &Path,
) -> std::result::Result<(Command, &'static str), NotRun> {
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let program = match kind {
        Kind::Moto => install::environment(bench, &install::MOTO).await?.join("moto_server"),
        Kind::Ministack => {
            install::environment(bench, &install::MINISTACK).await?.join("ministack")
        }
        Kind::S3sFs | Kind::Ceph => install::s3s_fs(bench).await?,
    };
    let mut command = Command::new(program);
    alone(&mut command, home);
    command.current_dir(home);
    let path = match kind {
        Kind::Moto => {
            command.args(["-H", &host, "-p", &port]).env("INITIAL_NO_AUTH_ACTION_COUNT", CALLS);
            // What is created has to be of what there is, as in the cloud.
            command.envs(MOTO_CHECKS.map(|name| (name, "true")));
            // Of its own it has none of Debian.
            command.env("MOTO_AMIS_PATH", bench.sources().join("servers/moto_images.json"));
            "/moto-api/data.json"
        }
        Kind::Ministack => {
            command.env("BIND_HOST", host).env("GATEWAY_PORT", port).env("AUTH", "true");
            command.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
            "/_ministack/health"
        }
        Kind::S3sFs | Kind::Ceph => {
            command.args(["--host", &host, "--port", &port, "--access-key", ACCESS_KEY]);
            command.args(["--secret-key", SECRET_KEY]).arg(home);
            "/"
        }
    };
    Ok((command, path))
}

/// How to reach a gateway that somebody else has started.
fn ceph(bench: &Bench, config: S3Config) -> std::result::Result<S3Config, NotRun> {
    let Some(url) = &bench.ceph else {
        return Err("no gateway is given (--ceph)".into());
    };
    let variable = |name: &str| {
        let value = std::env::var_os(name).and_then(|value| value.into_string().ok());
        value.with_context(|| format!("{name} is not set")).map_err(|error| error.to_string())
    };
    let (access_key, secret_key) = (variable("CEPH_ACCESS_KEY")?, variable("CEPH_SECRET_KEY")?);
    Ok(config.with_endpoint(url.as_str()).with_credentials(access_key, secret_key))
}

/// A server as the conformance suite sees it.
#[derive(Debug)]
struct Foreign {
    part: &'static str,
    class: Option<StorageClass>,
    location: Option<&'static str>,
    buckets: S3Buckets,
    capabilities: Capabilities,
    /// What the names of its buckets begin with.
    prefix: String,
    number: AtomicU64,
    /// What is removed at the end.
    made: Mutex<Vec<BucketName>>,
}

impl Foreign {
    async fn new(part: &Server, config: &S3Config) -> Result<Self> {
        let buckets = config.open_buckets(&Session::new()).await?;
        let probe = buckets.open(&BucketName::new("probe")?)?;
        Ok(Self {
            part: part.name,
            class: part.class.map(StorageClass::new).transpose()?,
            location: part.location,
            capabilities: probe.capabilities().clone(),
            buckets,
            prefix: format!("crosscheck-{:016x}", SystemRandom.next_u64()),
            number: AtomicU64::new(0),
            made: Mutex::default(),
        })
    }
}

#[async_trait]
impl Harness for Foreign {
    fn name(&self) -> &str {
        self.part
    }

    async fn store(&self, setup: &StoreSetup) -> Result<Arc<dyn ObjectStore>> {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let name = BucketName::new(format!("{}-{number}", self.prefix))?;
        let options = CreateBucketOptions::default().with_versioning(setup.versioned);
        self.buckets.create(&name, &options).await?;
        self.made.lock().unwrap_or_else(PoisonError::into_inner).push(name.clone());
        self.buckets.open(&name)
    }

    fn buckets(&self) -> Option<Arc<dyn Buckets>> {
        Some(Arc::new(self.buckets.clone()))
    }

    fn compute(&self) -> Option<Arc<dyn Compute>> {
        None
    }

    fn object_capabilities(&self) -> Option<&Capabilities> {
        Some(&self.capabilities)
    }

    fn compute_capabilities(&self) -> Option<&Capabilities> {
        None
    }

    fn clock(&self) -> Arc<dyn Clock> {
        SystemClock::shared()
    }

    fn storage_class(&self) -> Option<StorageClass> {
        self.class.clone()
    }

    fn location(&self) -> Option<String> {
        self.location.map(str::to_owned)
    }

    async fn cleanup(&self) {
        let made = std::mem::take(&mut *self.made.lock().unwrap_or_else(PoisonError::into_inner));
        for name in made {
            // What cannot be removed goes with the server.
            let options = DeleteBucketOptions::default().with_force(true);
            let _ = self.buckets.delete(&name, &options).await;
        }
    }
}
