//! How an emulator is set up.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use tokio::net::TcpListener;

use crate::Emulator;
use crate::clock::EmulatorClock;
use crate::credentials::{Credentials, Keys};
use crate::ec2::{self, Ec2, Processes};
use crate::emulator::Limits;
use crate::faults::Faults;
use crate::imds::Metadata;
use crate::journal::{Journal, Service};
use crate::persist::Saver;
use crate::s3::S3State;
use crate::server::{self, Core, Store};

/// Settings of an [`Emulator`].
#[derive(Debug, Clone)]
pub struct Builder {
    clock: EmulatorClock,
    dir: Option<PathBuf>,
    accounts: Vec<Credentials>,
    region: String,
    domains: Vec<String>,
    limits: Limits,
    addresses: [SocketAddr; 4],
    run_user_data: bool,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            clock: EmulatorClock::system(),
            dir: None,
            accounts: vec![Credentials::test()],
            region: "us-east-1".to_owned(),
            domains: Vec::new(),
            limits: Limits::default(),
            addresses: [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)); 4],
            run_user_data: false,
        }
    }
}

impl Builder {
    /// The clock; by default that of the machine.
    #[must_use]
    pub fn clock(mut self, clock: EmulatorClock) -> Self {
        self.clock = clock;
        self
    }

    /// Loads the state of S3 from this folder, and saves every change there before it is answered. That of
    /// EC2 is not kept: instances end with the emulator.
    #[must_use]
    pub fn persist(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// Adds an account.
    #[must_use]
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.accounts.push(credentials);
        self
    }

    /// Replaces the credentials of the test account.
    #[must_use]
    pub fn test_credentials(mut self, credentials: Credentials) -> Self {
        if let Some(first) = self.accounts.first_mut() {
            *first = credentials;
        }
        self
    }

    /// The region that the metadata service tells; by default `us-east-1`.
    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = region.into();
        self
    }

    /// A domain under which names of hosts begin with names of buckets, besides `localhost`,
    /// `s3.localhost`, the domains of AWS and `ADDRESS.nip.io`.
    #[must_use]
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.domains.push(domain.into().to_ascii_lowercase());
        self
    }

    /// Changes limits of S3.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Where S3 listens; by default on a free port of the loopback address.
    #[must_use]
    pub fn s3_address(mut self, address: SocketAddr) -> Self {
        self.addresses[0] = address;
        self
    }

    /// Where the token service listens; by default on a free port of the loopback address.
    #[must_use]
    pub fn sts_address(mut self, address: SocketAddr) -> Self {
        self.addresses[1] = address;
        self
    }

    /// Where the metadata service listens; by default on a free port of the loopback address.
    #[must_use]
    pub fn imds_address(mut self, address: SocketAddr) -> Self {
        self.addresses[2] = address;
        self
    }

    /// Where EC2 listens; by default on a free port of the loopback address.
    #[must_use]
    pub fn ec2_address(mut self, address: SocketAddr) -> Self {
        self.addresses[3] = address;
        self
    }

    /// Runs the user data of instances as processes of this machine, with the rights of this process.
    ///
    /// User data that begins with `#!`, and every such part of user data of several parts, runs in a folder
    /// of its own when its instance runs for the first time. What it writes is the console's output. It is
    /// killed when its instance stops, reboots or terminates, and with the emulator; a process that leaves
    /// its group is not found. Off by default.
    #[must_use]
    pub fn run_user_data(mut self, run: bool) -> Self {
        self.run_user_data = run;
        self
    }

    /// Makes an emulator that does not listen: connections are given to
    /// [`Emulator::serve_s3`] and its like.
    ///
    /// # Errors
    ///
    /// The folder to load from cannot be read.
    pub fn build(self) -> io::Result<Emulator> {
        let addresses = self.addresses;
        Ok(Emulator::new(self.core()?, addresses, Vec::new()))
    }

    /// Starts listening in tasks of the current runtime.
    ///
    /// # Errors
    ///
    /// An address cannot be listened at, or the folder to load from cannot be read.
    pub async fn start(self) -> io::Result<Emulator> {
        let mut addresses = self.addresses;
        let core = self.core()?;
        let mut tasks = Vec::with_capacity(addresses.len());
        let services = [Service::S3, Service::Sts, Service::Imds, Service::Ec2];
        let mut listeners = Vec::with_capacity(addresses.len());
        for address in &mut addresses {
            let listener = TcpListener::bind(*address).await?;
            *address = listener.local_addr()?;
            listeners.push(listener);
        }
        for (service, listener) in services.into_iter().zip(listeners) {
            let listen = server::listen(Arc::clone(&core), service, listener);
            tasks.push(tokio::spawn(listen).abort_handle());
        }
        if let Some(settle) = ec2::settle_by_itself(&core) {
            tasks.push(tokio::spawn(settle).abort_handle());
        }
        Ok(Emulator::new(core, addresses, tasks))
    }

    fn core(self) -> io::Result<Arc<Core>> {
        let mut state = match &self.dir {
            Some(dir) => S3State::load(dir)?,
            None => S3State::default(),
        };
        self.limits.apply(&mut state.limits);
        Ok(Arc::new(Core {
            s3: Mutex::new(Store { state, changes: 0 }),
            ec2: Ec2::new(Processes::new(self.run_user_data)),
            saver: self.dir.map(Saver::new),
            keys: Keys::new(&self.accounts),
            accounts: self.accounts,
            metadata: Metadata::default(),
            clock: self.clock,
            faults: Faults::default(),
            journal: Journal::default(),
            region: self.region,
            domains: self.domains,
            requests: AtomicU64::new(0),
        }))
    }
}
