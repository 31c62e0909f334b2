//! A region of an account.

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::auth::sha256_hex;
use crate::clockwork::{Clockwork, Dice, Late};
use crate::ec2::addresses::Address;
use crate::ec2::call::Call;
use crate::ec2::controls::Settings;
use crate::ec2::images::{self, Image};
use crate::ec2::instances::{self, Instance, Reason, SpotRequest, Token};
use crate::ec2::interfaces::Interface;
use crate::ec2::key_pairs::KeyPair;
use crate::ec2::networks::{self, Subnet, Vpc};
use crate::ec2::placement_groups::PlacementGroup;
use crate::ec2::security_groups::SecurityGroup;
use crate::ec2::snapshots::{self, Snapshot};
use crate::ec2::state::addressing::Taken;
use crate::ec2::state::tags::Tags;
use crate::ec2::tokens::ClientTokens;
use crate::ec2::userdata::Effect;
use crate::ec2::volumes::{self, Volume};

/// What happens to a resource once its time has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Instance(String),
    Volume(String),
    Snapshot(String),
    Image(String),
}

/// A region of an account: its resources by their ids.
#[derive(Debug)]
pub(crate) struct Region {
    pub(crate) name: String,
    pub(crate) account: String,
    pub(crate) instances: BTreeMap<String, Instance>,
    pub(crate) volumes: BTreeMap<String, Volume>,
    pub(crate) snapshots: BTreeMap<String, Snapshot>,
    pub(crate) images: BTreeMap<String, Image>,
    pub(crate) security_groups: BTreeMap<String, SecurityGroup>,
    pub(crate) key_pairs: BTreeMap<String, KeyPair>,
    /// By allocation id.
    pub(crate) addresses: BTreeMap<String, Address>,
    pub(crate) interfaces: BTreeMap<String, Interface>,
    pub(crate) subnets: BTreeMap<String, Subnet>,
    pub(crate) vpcs: BTreeMap<String, Vpc>,
    pub(crate) placement_groups: BTreeMap<String, PlacementGroup>,
    pub(crate) spot_requests: BTreeMap<String, SpotRequest>,
    /// Reservations by the tokens of the requests for them.
    pub(crate) run_tokens: BTreeMap<String, Token>,
    /// Tokens of requests for other resources.
    pub(crate) tokens: ClientTokens,
    /// Instances that end instead of running, and why.
    pub(crate) failing_launches: Vec<Reason>,
    /// Of all resources.
    pub(crate) tags: Tags,
    pub(crate) events: Clockwork<Event>,
    /// Addresses in use.
    pub(super) taken: Taken,
    /// What is to happen to processes on this machine.
    pub(crate) effects: Vec<Effect>,
    /// Instances that have come to run or have ended, and whose volumes do not follow yet.
    pub(crate) begun: Vec<String>,
    pub(crate) ended: Vec<String>,
    /// What is not seen by all readers yet, by id.
    late: BTreeMap<String, Late>,
    ids: u64,
}

impl Region {
    /// A region as it is before anything is created: its default network and the public images.
    pub(crate) fn new(name: &str, account: &str) -> Self {
        let mut region = Self {
            name: name.to_owned(),
            account: account.to_owned(),
            instances: BTreeMap::new(),
            volumes: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            images: BTreeMap::new(),
            security_groups: BTreeMap::new(),
            key_pairs: BTreeMap::new(),
            addresses: BTreeMap::new(),
            interfaces: BTreeMap::new(),
            subnets: BTreeMap::new(),
            vpcs: BTreeMap::new(),
            placement_groups: BTreeMap::new(),
            spot_requests: BTreeMap::new(),
            run_tokens: BTreeMap::new(),
            tokens: ClientTokens::default(),
            failing_launches: Vec::new(),
            tags: Tags::default(),
            events: Clockwork::default(),
            taken: Taken::default(),
            effects: Vec::new(),
            begun: Vec::new(),
            ended: Vec::new(),
            late: BTreeMap::new(),
            ids: 0,
        };
        networks::set_up(&mut region);
        images::set_up(&mut region);
        region
    }

    /// A new id: `prefix`, a dash and 17 digits. The same ones in every run.
    pub(crate) fn new_id(&mut self, prefix: &str) -> String {
        self.ids += 1;
        let seed = format!("{} {} {prefix} {}", self.account, self.name, self.ids);
        let digits = sha256_hex(seed.as_bytes());
        format!("{prefix}-0{}", digits.get(..16).unwrap_or_default())
    }

    /// Something was created: from when on others see it depends on the settings.
    pub(crate) fn created(&mut self, id: &str, call: &Call<'_>) {
        let settings = call.settings;
        let (mut delay, mut reads) = (settings.timings.visible, settings.unseen_reads);
        if let Some(seed) = settings.lag_seed {
            let mut dice = Dice::new(seed ^ self.ids.rotate_left(32));
            delay = delay.mul_f64(dice.unit());
            let drawn = dice.next() % u64::from(reads).saturating_add(1);
            reads = u32::try_from(drawn).unwrap_or(reads);
        }
        let late = Late::new(call.now, delay, reads);
        if !late.is_over(call.now) {
            self.late.insert(id.to_owned(), late);
        }
    }

    /// Whether a read sees a resource already. To be asked once by each request that reads it.
    pub(crate) fn sees(&self, id: &str, call: &Call<'_>) -> bool {
        self.late.get(id).is_none_or(|late| late.seen(call.now))
    }

    /// Lets happen what is due by now.
    pub(crate) fn settle(&mut self, now: SystemTime, settings: &Settings) {
        while let Some((due, event)) = self.events.take(now) {
            match event {
                Event::Instance(id) => instances::settle(self, &id, due, settings),
                Event::Volume(id) => volumes::settle(self, &id, due),
                Event::Snapshot(id) => snapshots::settle(self, &id, due),
                Event::Image(id) => images::settle(self, &id, due),
            }
        }
        instances::follow(self);
        self.late.retain(|_, late| !late.is_over(now));
    }
}
