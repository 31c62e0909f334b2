//! The emulator as its users see it.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use http::{HeaderMap, Method};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;

use crate::builder::Builder;
use crate::clock::EmulatorClock;
use crate::credentials::Credentials;
use crate::ec2::Ec2Controls;
use crate::faults::Faults;
use crate::http::{Identity, Request};
use crate::imds;
use crate::journal::{Journal, Service};
use crate::s3;
use crate::server::{self, Core};

/// Amazon S3, EC2, STS and the metadata service in this process.
///
/// It verifies every signature, keeps real state, and forgets it when it is dropped.
pub struct Emulator {
    core: Arc<Core>,
    addresses: [SocketAddr; 4],
    tasks: Vec<AbortHandle>,
}

/// Limits of S3 that tests may lower. The defaults are those of AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The largest object of one upload request, and the largest part: 5 GiB.
    pub put_bytes: u64,
    /// The largest object that one request copies: 5 GiB.
    pub copy_bytes: u64,
    /// The smallest part that is not the last one: 5 MiB.
    pub part_min_bytes: u64,
    /// Buckets of one account: 10,000.
    pub buckets: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self::of(&s3::Limits::default())
    }
}

impl Limits {
    fn of(limits: &s3::Limits) -> Self {
        Self {
            put_bytes: limits.put_bytes,
            copy_bytes: limits.copy_bytes,
            part_min_bytes: limits.part_min_bytes,
            buckets: limits.buckets,
        }
    }

    pub(crate) fn apply(&self, limits: &mut s3::Limits) {
        limits.put_bytes = self.put_bytes;
        limits.copy_bytes = self.copy_bytes;
        limits.part_min_bytes = self.part_min_bytes;
        limits.buckets = self.buckets;
    }
}

impl Emulator {
    /// Starts an emulator on free ports of the loopback address.
    ///
    /// # Errors
    ///
    /// There is no port to listen at.
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    /// Settings other than the usual.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn new(
        core: Arc<Core>,
        addresses: [SocketAddr; 4],
        tasks: Vec<AbortHandle>,
    ) -> Self {
        Self { core, addresses, tasks }
    }

    /// Where S3 is, such as `http://127.0.0.1:9000`. Without [listening](Builder::build) its port is 0.
    #[must_use]
    pub fn s3_url(&self) -> String {
        self.url(Service::S3)
    }

    /// Where the token service is.
    #[must_use]
    pub fn sts_url(&self) -> String {
        self.url(Service::Sts)
    }

    /// Where the metadata service is.
    #[must_use]
    pub fn imds_url(&self) -> String {
        self.url(Service::Imds)
    }

    /// Where EC2 is; Systems Manager and Service Quotas answer there too.
    #[must_use]
    pub fn ec2_url(&self) -> String {
        self.url(Service::Ec2)
    }

    /// Where a container finds its credentials (`AWS_CONTAINER_CREDENTIALS_FULL_URI`).
    #[must_use]
    pub fn container_credentials_url(&self) -> String {
        format!("{}{}", self.imds_url(), imds::CONTAINER_PATH)
    }

    /// Where a pod finds its credentials, and the token that it has to send
    /// (`AWS_CONTAINER_AUTHORIZATION_TOKEN`).
    #[must_use]
    pub fn pod_credentials(&self) -> (String, String) {
        (format!("{}{}", self.imds_url(), imds::POD_PATH), imds::POD_TOKEN.to_owned())
    }

    fn url(&self, service: Service) -> String {
        let [s3, sts, imds, ec2] = self.addresses;
        let address = match service {
            Service::S3 => s3,
            Service::Sts => sts,
            Service::Imds => imds,
            Service::Ec2 => ec2,
        };
        format!("http://{address}")
    }

    /// What to sign with.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        static NONE: Credentials = Credentials {
            access_key: String::new(),
            secret_key: String::new(),
            session_token: None,
        };
        self.core.accounts.first().unwrap_or(&NONE)
    }

    /// The region that the metadata service tells.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.core.region
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &EmulatorClock {
        &self.core.clock
    }

    /// What is to go wrong, and what did.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.core.faults
    }

    /// What was asked.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.core.journal
    }

    /// What EC2 does of itself: how long it takes, where there is room, what it refuses.
    #[must_use]
    pub fn ec2(&self) -> Ec2Controls {
        Ec2Controls::new(Arc::clone(&self.core))
    }

    /// Changes limits of S3.
    pub fn limits(&self, change: impl FnOnce(&mut Limits)) {
        let mut store = self.core.store();
        let mut limits = Limits::of(&store.state.limits);
        change(&mut limits);
        limits.apply(&mut store.state.limits);
    }

    /// Forgets all buckets, instances and what belongs to them, issued credentials, faults and requests. A
    /// folder that keeps the state follows with the next change.
    pub fn reset(&self) {
        let mut store = self.core.store();
        let old = std::mem::take(&mut store.state);
        store.state.limits = old.limits;
        store.changes += 1;
        drop(store);
        self.core.ec2.reset();
        self.core.keys.forget_sessions();
        self.core.metadata.reset();
        self.core.faults.reset();
        self.core.journal.clear();
    }

    /// Creates a bucket of the test account, in its region.
    ///
    /// # Errors
    ///
    /// S3 refuses it; the error tells its code.
    pub fn create_bucket(&self, name: &str) -> io::Result<()> {
        let region = self.region();
        let body = if region == "us-east-1" {
            String::new()
        } else {
            format!(
                "<CreateBucketConfiguration><LocationConstraint>{region}</LocationConstraint>\
                 </CreateBucketConfiguration>"
            )
        };
        self.call(Method::PUT, name, None, body)
    }

    /// Lets everybody read, write and list a bucket of the test account.
    ///
    /// # Errors
    ///
    /// S3 refuses it; the error tells its code.
    pub fn make_bucket_public(&self, name: &str) -> io::Result<()> {
        self.call(Method::DELETE, name, Some("publicAccessBlock"), String::new())?;
        let policy = format!(
            "{{\"Version\":\"2012-10-17\",\"Statement\":[{{\"Effect\":\"Allow\",\"Principal\":\"*\",\
             \"Action\":\"s3:*\",\"Resource\":[\"arn:aws:s3:::{name}\",\"arn:aws:s3:::{name}/*\"]}}]}}"
        );
        self.call(Method::PUT, name, Some("policy"), policy)
    }

    /// Carries out a request of the test account, past network and faults.
    fn call(
        &self,
        method: Method,
        bucket: &str,
        parameter: Option<&str>,
        body: String,
    ) -> io::Result<()> {
        let access_key = self.credentials().access_key.clone();
        let key = self.core.keys.get(&access_key);
        let identity = key.map(|key| Identity { access_key, account: key.account.clone() });
        let request = Request {
            method,
            bucket: Some(bucket.to_owned()),
            key: None,
            query: parameter.map(|name| (name.to_owned(), String::new())).into_iter().collect(),
            headers: HeaderMap::new(),
            trailers: HeaderMap::new(),
            body: body.into(),
            now: self.core.clock.now(),
            identity,
            id: self.core.next_id(),
        };
        let mut store = self.core.store();
        store.changes += 1;
        let response = s3::handle(&mut store.state, &request);
        if response.status.is_success() {
            return self.core.saver.as_ref().map_or(Ok(()), |saver| saver.save_now(&store));
        }
        Err(refused(&String::from_utf8_lossy(&response.body)))
    }

    /// Serves S3 on one connection that is not a socket, such as `tokio::io::duplex`. Tests on a paused
    /// clock need it: the clock does not wait for sockets.
    pub fn serve_s3(
        &self,
        io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> impl Future<Output = ()> + Send + 'static {
        server::serve_in_memory(Arc::clone(&self.core), Service::S3, io)
    }

    /// Serves the token service on one connection.
    pub fn serve_sts(
        &self,
        io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> impl Future<Output = ()> + Send + 'static {
        server::serve_in_memory(Arc::clone(&self.core), Service::Sts, io)
    }

    /// Serves the metadata service on one connection.
    pub fn serve_imds(
        &self,
        io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> impl Future<Output = ()> + Send + 'static {
        server::serve_in_memory(Arc::clone(&self.core), Service::Imds, io)
    }

    /// Serves EC2 on one connection.
    pub fn serve_ec2(
        &self,
        io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> impl Future<Output = ()> + Send + 'static {
        server::serve_in_memory(Arc::clone(&self.core), Service::Ec2, io)
    }
}

/// Code and message of an error document.
fn refused(document: &str) -> io::Error {
    let element = |name: &str| {
        let (_, rest) = document.split_once(&format!("<{name}>"))?;
        rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
    };
    let (code, message) = (element("Code"), element("Message"));
    io::Error::other(format!("{}: {}", code.unwrap_or_default(), message.unwrap_or_default()))
}

impl Drop for Emulator {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        self.core.ec2.processes.close();
    }
}

impl fmt::Debug for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emulator")
            .field("s3", &self.s3_url())
            .field("sts", &self.sts_url())
            .field("imds", &self.imds_url())
            .field("ec2", &self.ec2_url())
            .finish_non_exhaustive()
    }
}
