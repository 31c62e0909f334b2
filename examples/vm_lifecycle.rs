//! The life of a virtual machine: created, waited for, stopped, started again, terminated.
//!
//! ```text
//! cargo run --example vm_lifecycle
//! cargo run --features aws --example vm_lifecycle -- ec2://eu-west-1 --image ubuntu:24.04 --type t3.micro
//! ```
//!
//! However it ends, by an error or by Ctrl-C, it leaves nothing behind.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to its user")]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use polycloud::clock::{Clock, Random as _, SystemClock, SystemRandom};
use polycloud::compute::{
    Hardware, IdempotencyToken, ImageSelector, Instance, InstanceId, Owner, StopMode, SweepOptions,
};
use polycloud::prelude::*;
use polycloud::{Error, ErrorKind, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Shows the life of a virtual machine.
#[derive(Debug, Parser)]
struct Args {
    /// The compute, as its URL.
    #[arg(default_value = "local:")]
    compute: String,
    /// The name of the machine; drawn at random if unset.
    #[arg(long)]
    name: Option<InstanceName>,
    /// What it boots, such as `ubuntu:24.04` or `id:ami-0123456789abcdef0`; the provider's Debian if unset.
    #[arg(long)]
    image: Option<ImageSelector>,
    /// The provider's type of machine, such as `t3.micro`; the smallest if unset.
    #[arg(long = "type", value_name = "TYPE")]
    hardware: Option<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vm_lifecycle: {error}");
            for left in error.leaked() {
                eprintln!("vm_lifecycle: left behind: {left}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<()> {
    let compute = polycloud::open_compute(&args.compute).await?;
    let unique = format!("vm-lifecycle-{:08x}", SystemRandom.next_u64() >> 32);
    let name = args.name.map_or_else(|| InstanceName::new(unique.as_str()), Ok)?;
    let mut spec = InstanceSpec::new(name).with_public_ip(true);
    if let Some(image) = args.image {
        spec = spec.with_image(image);
    }
    if let Some(hardware) = args.hardware {
        spec = spec.with_hardware(Hardware::of_type(hardware));
    }
    // By its owner the machine is found again, should the answer to the create be lost.
    let owner = Owner::new(unique.as_str())?;
    let token = IdempotencyToken::new(unique)?;
    let options = CreateOptions::default().with_owner(owner.clone()).with_token(token);

    // Asked for before anything is created, so that Ctrl-C never ends the program with a machine left.
    let mut signals = Signals::new()?;
    let made = compute.create(&spec, &options).await;
    let lived = match &made {
        Ok(instance) => tokio::select! {
            lived = live(&*compute, instance) => lived,
            () = signals.next() => Err(Error::new(ErrorKind::Cancelled)),
        },
        Err(error) => Err(error.repeat()),
    };
    let removed = remove(&*compute, made.ok().map(|instance| instance.id), owner).await;
    lived.and(removed)
}

/// What a machine goes through.
async fn live(compute: &dyn Compute, instance: &Instance) -> Result<()> {
    let steps = Steps::new();
    let (id, wait) = (&instance.id, WaitOptions::default());
    steps.tell(&format!("{id}, a {}, is {}", instance.instance_type, instance.status));
    let running = compute.wait_until(id, InstanceState::Running, &wait).await?;
    steps.tell(&format!("it is running at {}", address(running.as_ref())));

    compute.stop(id, StopMode::Deallocate).await?;
    compute.wait_until(id, InstanceState::Stopped, &wait).await?;
    steps.tell("it is stopped");

    compute.start(id).await?;
    let running = compute.wait_until(id, InstanceState::Running, &wait).await?;
    steps.tell(&format!("it is running again, at {}", address(running.as_ref())));
    Ok(())
}

fn address(instance: Option<&Instance>) -> String {
    let ip = instance.and_then(|instance| instance.public_ips.first());
    ip.map_or_else(|| "no public address".to_owned(), |ip| ip.to_string())
}

/// Terminates the machine, waits until it is gone, and looks for what is left of it.
async fn remove(compute: &dyn Compute, id: Option<InstanceId>, owner: Owner) -> Result<()> {
    let terminated = match &id {
        Some(id) => compute.terminate(id, &TerminateOptions::default()).await,
        None => Ok(()),
    };
    if let Some(sweep) = compute.sweep() {
        let report = sweep.sweep(&SweepOptions::new(owner)).await?;
        if let Some((resource, error)) = report.failed.into_iter().next() {
            return Err(error.with_leaked([resource]));
        }
    }
    terminated?;
    if let Some(id) = &id {
        compute.wait_until(id, InstanceState::Terminated, &WaitOptions::default()).await?;
        println!("{id} is terminated");
    }
    Ok(())
}

/// Tells what has happened, and when.
struct Steps {
    clock: Arc<dyn Clock>,
    begin: Duration,
}

impl Steps {
    fn new() -> Self {
        let clock = SystemClock::shared();
        Self { begin: clock.monotonic(), clock }
    }

    fn tell(&self, what: &str) {
        let passed = self.clock.monotonic().saturating_sub(self.begin);
        println!("{:>6.1} s  {what}", passed.as_secs_f64());
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Internal).with_source(error)
}

/// The signals to end.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        let listen = |kind| signal(kind).map_err(failed);
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
