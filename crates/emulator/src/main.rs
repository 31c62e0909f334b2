//! An emulator as a program: prints where it is in one line of JSON, and serves until it is stopped.

use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use polycloud_emulator::{Credentials, Ec2Timings, Emulator};
use serde_json::json;

const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Emulates Amazon S3, EC2, STS and the instance metadata service.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where S3 listens; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value_t = ANY)]
    s3: SocketAddr,
    /// Where STS listens.
    #[arg(long, value_name = "ADDRESS", default_value_t = ANY)]
    sts: SocketAddr,
    /// Where the metadata service listens.
    #[arg(long, value_name = "ADDRESS", default_value_t = ANY)]
    imds: SocketAddr,
    /// Where EC2 listens.
    #[arg(long, value_name = "ADDRESS", default_value_t = ANY)]
    ec2: SocketAddr,
    /// So many times as fast as in the cloud, things happen to instances and volumes.
    #[arg(long, value_name = "FACTOR", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    ec2_speed: u32,
    /// Runs user data that begins with `#!` as processes of this machine when their instances run.
    #[arg(long)]
    run_user_data: bool,
    /// An instance profile that there is.
    #[arg(long, value_name = "NAME")]
    instance_profile: Vec<String>,
    /// Keeps the state of S3 in this folder.
    #[arg(long, value_name = "DIR")]
    persist: Option<PathBuf>,
    /// The access key of the test account.
    #[arg(long, value_name = "KEY", requires = "secret_key")]
    access_key: Option<String>,
    /// Its secret key.
    #[arg(long, value_name = "SECRET", requires = "access_key")]
    secret_key: Option<String>,
    /// The region.
    #[arg(long, default_value = "us-east-1")]
    region: String,
    /// A domain under which names of hosts begin with names of buckets.
    #[arg(long, value_name = "DOMAIN")]
    domain: Vec<String>,
    /// A bucket to begin with.
    #[arg(long, value_name = "NAME")]
    bucket: Vec<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody can be told that the error cannot be told.
            let _ = writeln!(io::stderr(), "polycloud-emulator: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> io::Result<()> {
    let mut builder = Emulator::builder()
        .s3_address(arguments.s3)
        .sts_address(arguments.sts)
        .imds_address(arguments.imds)
        .ec2_address(arguments.ec2)
        .run_user_data(arguments.run_user_data)
        .region(arguments.region);
    if let (Some(access_key), Some(secret_key)) = (arguments.access_key, arguments.secret_key) {
        builder = builder.test_credentials(Credentials::new(access_key, secret_key));
    }
    if let Some(dir) = arguments.persist {
        builder = builder.persist(dir);
    }
    for domain in arguments.domain {
        builder = builder.domain(domain);
    }
    // Asked for before the line is printed, so that a signal sent at once is not missed.
    let stop = Stop::new()?;
    let emulator = builder.start().await?;
    emulator.ec2().timings(|timings| hasten(timings, arguments.ec2_speed));
    for profile in arguments.instance_profile {
        emulator.ec2().instance_profile(profile);
    }
    for bucket in &arguments.bucket {
        create(&emulator, bucket)?;
    }
    let mut out = io::stdout().lock();
    writeln!(out, "{}", description(&emulator))?;
    out.flush()?;
    drop(out);
    stop.wait().await
}

/// Divides all that takes time by a factor.
fn hasten(timings: &mut Ec2Timings, factor: u32) {
    for time in [
        &mut timings.pending,
        &mut timings.stopping,
        &mut timings.shutting_down,
        &mut timings.terminated_visible,
        &mut timings.initializing,
        &mut timings.volume,
        &mut timings.attachment,
        &mut timings.snapshot,
        &mut timings.image,
        &mut timings.visible,
    ] {
        *time /= factor;
    }
}

/// Creates a bucket, unless it is there from an earlier run.
fn create(emulator: &Emulator, bucket: &str) -> io::Result<()> {
    match emulator.create_bucket(bucket) {
        Err(error) if error.to_string().starts_with("BucketAlreadyOwnedByYou") => Ok(()),
        result => result,
    }
}

/// What a client needs.
fn description(emulator: &Emulator) -> serde_json::Value {
    let credentials = emulator.credentials();
    json!({
        "s3": emulator.s3_url(),
        "sts": emulator.sts_url(),
        "imds": emulator.imds_url(),
        "ec2": emulator.ec2_url(),
        "access_key": credentials.access_key,
        "secret_key": credentials.secret_key,
        "region": emulator.region(),
        "env": {
            "AWS_ENDPOINT_URL_S3": emulator.s3_url(),
            "AWS_ENDPOINT_URL_STS": emulator.sts_url(),
            "AWS_ENDPOINT_URL_EC2": emulator.ec2_url(),
            "AWS_ENDPOINT_URL_SSM": emulator.ec2_url(),
            "AWS_ENDPOINT_URL_SERVICE_QUOTAS": emulator.ec2_url(),
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": emulator.imds_url(),
            "AWS_ACCESS_KEY_ID": credentials.access_key,
            "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
            "AWS_REGION": emulator.region(),
            "AWS_DEFAULT_REGION": emulator.region(),
        },
    })
}

/// The signals that stop the program.
#[cfg(unix)]
struct Stop {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Stop {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn wait(mut self) -> io::Result<()> {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        Ok(())
    }
}

#[cfg(not(unix))]
struct Stop;

#[cfg(not(unix))]
impl Stop {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn wait(self) -> io::Result<()> {
        tokio::signal::ctrl_c().await
    }
}
