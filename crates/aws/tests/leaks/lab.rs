//! EC2 in memory, on a clock that moves only when all wait, and clients that can be cut off.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use http::Uri;
use polycloud_aws::{Ec2Config, Session};
use polycloud_core::clock::{Clock as _, SeededRandom};
use polycloud_core::compute::{Compute, IntentJournal, Owner};
use polycloud_emulator::{Ec2Controls, Ec2Resource, Emulator, EmulatorClock};
use polycloud_wire::client::{Connector, HyperClient, Io};
use tempfile::TempDir;

use crate::paused::{RuntimeClock, start};
use crate::plain;
use crate::tap::{Tap, Watch};

pub(crate) const REGION: &str = "us-east-1";

/// Of the emulator's account.
pub(crate) const CREDENTIALS: (&str, &str) =
    ("AKIAPOLYCLOUDTEST000", "polycloud/test+secret/of/the/emulator000");

/// Whose instances may be swept.
pub(crate) fn owner() -> Owner {
    Owner::new("ours").unwrap()
}

/// Connections to the emulator.
#[derive(Clone)]
struct Network(Arc<Emulator>);

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Network")
    }
}

#[async_trait]
impl Connector for Network {
    async fn connect(&self, _: &Uri) -> io::Result<Box<dyn Io>> {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        tokio::spawn(self.0.serve_ec2(theirs));
        Ok(Box::new(ours))
    }
}

/// A caller's process, which lives until it is dropped.
pub(crate) struct Client {
    pub(crate) compute: Arc<dyn Compute>,
    pub(crate) tap: Arc<Tap>,
}

/// EC2 and its clock.
pub(crate) struct Lab {
    pub(crate) emulator: Arc<Emulator>,
    pub(crate) clock: Arc<RuntimeClock>,
    /// How many living instances there may be of a token at most.
    pub(crate) most: Arc<Mutex<BTreeMap<String, usize>>>,
    twins: Arc<Mutex<Vec<String>>>,
    dir: Option<TempDir>,
}

impl Lab {
    /// One whose clients write a journal, or not.
    pub(crate) fn new(journal: bool) -> Self {
        let clock = EmulatorClock::runtime(start());
        let emulator = Arc::new(Emulator::builder().clock(clock).build().unwrap());
        let dir = journal.then(|| tempfile::tempdir().unwrap());
        let (most, twins) = (Arc::default(), Arc::default());
        Self { emulator, clock: Arc::new(RuntimeClock::new()), most, twins, dir }
    }

    /// A process with connections, a retry budget and a learned clock of its own.
    pub(crate) async fn client(&self, seed: u64) -> Client {
        // The age of connections is told by another clock, and looking after them costs time here.
        let client = HyperClient::builder()
            .connector(Network(Arc::clone(&self.emulator)))
            .idle_timeout(Duration::from_secs(86_400));
        let clock = Arc::clone(&self.clock);
        let tap = Arc::new(Tap::new(client.build(), clock, self.ec2(), self.watch()));
        let session = Session::new()
            .with_client(Arc::<Tap>::clone(&tap))
            .with_clock(Arc::<RuntimeClock>::clone(&self.clock))
            .with_random(Arc::new(SeededRandom::new(seed)));
        let (id, secret) = CREDENTIALS;
        let mut config = Ec2Config::new(REGION)
            .with_endpoint("http://127.0.0.1:9000")
            .with_credentials(id, secret);
        if let Some(path) = self.journal_path() {
            config = config.with_journal(path);
        }
        Client { compute: Arc::new(config.open(&session).await.unwrap()), tap }
    }

    /// After each answer: no token has more living instances than were asked for.
    fn watch(&self) -> Watch {
        let (most, twins) = (Arc::clone(&self.most), Arc::clone(&self.twins));
        Arc::new(move |ec2| {
            let mut count = BTreeMap::<String, usize>::new();
            for instance in ec2.instances().iter().filter(|it| is_living(&it.state)) {
                if let Some(token) = instance.tags.get("polycloud-token") {
                    *count.entry(token.clone()).or_default() += 1;
                }
            }
            let most = most.lock().unwrap();
            for (token, count) in count {
                if most.get(&token).is_some_and(|most| count > *most) {
                    twins.lock().unwrap().push(format!("{count} instances of {token}"));
                }
            }
        })
    }

    /// Twins that there were at any time.
    pub(crate) fn twins(&self) -> MutexGuard<'_, Vec<String>> {
        self.twins.lock().unwrap()
    }

    pub(crate) fn ec2(&self) -> Ec2Controls {
        self.emulator.ec2()
    }

    fn journal_path(&self) -> Option<PathBuf> {
        self.dir.as_ref().map(|dir| dir.path().join("intents"))
    }

    /// What the journal says was begun and not brought to an end.
    pub(crate) async fn pending(&self) -> usize {
        let Some(path) = self.journal_path() else { return 0 };
        let journal = IntentJournal::new(path, Arc::new(SeededRandom::new(0)));
        journal.pending().await.unwrap().len()
    }

    pub(crate) async fn pass(&self, time: Duration) {
        self.clock.sleep(time).await;
    }

    pub(crate) async fn ask(&self, action: &str, parameters: &[(&str, &str)]) -> String {
        plain::ask(&self.emulator, &self.clock, action, parameters).await
    }

    /// Lets all that is seen late be seen.
    pub(crate) async fn catch_up(&self) {
        for _ in 0..4 {
            for kind in ["Instances", "Volumes", "SecurityGroups", "KeyPairs", "NetworkInterfaces"]
            {
                self.ask(&format!("Describe{kind}"), &[]).await;
            }
        }
    }

    /// All there is, in the emulator's own words.
    pub(crate) fn inventory(&self) -> Vec<Ec2Resource> {
        self.ec2().resources()
    }

    /// The state of an instance; none if it cannot be seen any more.
    pub(crate) fn state_of(&self, native: &str) -> Option<String> {
        let all = self.ec2().instances();
        all.into_iter().find(|instance| instance.id == native).map(|instance| instance.state)
    }
}

/// Whether an instance is neither terminated nor about to be.
pub(crate) fn is_living(state: &str) -> bool {
    !matches!(state, "shutting-down" | "terminated")
}
