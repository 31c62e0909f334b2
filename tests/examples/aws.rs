//! Examples on an emulator of Amazon's services.

use std::process::{Command, Output};
use std::time::Duration;

use polycloud_emulator::Emulator;
use tempfile::TempDir;

use crate::run::command;

/// An emulator with a bucket, and what programs need to reach it. Its instances run their user data.
pub(crate) struct Aws {
    _runtime: tokio::runtime::Runtime,
    pub(crate) emulator: Emulator,
    pub(crate) home: TempDir,
}

impl Aws {
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let builder = Emulator::builder().run_user_data(true);
        let emulator = runtime.block_on(builder.start()).unwrap();
        emulator.create_bucket("bucket").unwrap();
        emulator.ec2().instance_profile("workers");
        emulator.ec2().timings(|timings| {
            for step in [&mut timings.pending, &mut timings.stopping, &mut timings.shutting_down] {
                *step = Duration::from_millis(100);
            }
        });
        Self { _runtime: runtime, emulator, home: TempDir::new().unwrap() }
    }

    pub(crate) fn url(&self, bucket: &str) -> String {
        let bucket = if bucket.is_empty() { String::new() } else { format!("//{bucket}") };
        format!("s3:{bucket}?endpoint={}&region=us-east-1&preset=aws", self.emulator.s3_url())
    }

    pub(crate) fn ec2(&self) -> String {
        format!("ec2://us-east-1?endpoint={}", self.emulator.ec2_url())
    }

    fn environment(&self) -> [(&'static str, String); 4] {
        let account = self.emulator.credentials();
        [
            ("AWS_ACCESS_KEY_ID", account.access_key.clone()),
            ("AWS_SECRET_ACCESS_KEY", account.secret_key.clone()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", self.emulator.imds_url()),
        ]
    }

    pub(crate) fn command(&self, name: &str, arguments: &[&str]) -> Command {
        let environment = self.environment();
        let environment: Vec<_> = environment.iter().map(|(k, v)| (*k, v.as_str())).collect();
        command(name, self.home.path(), arguments, &environment)
    }

    pub(crate) fn try_run(&self, name: &str, arguments: &[&str]) -> Output {
        self.command(name, arguments).output().unwrap()
    }

    pub(crate) fn run(&self, name: &str, arguments: &[&str]) -> String {
        let output = self.try_run(name, arguments);
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// There are no instances any more, nor what was made for them.
    pub(crate) fn has_no_instances(&self) {
        let ec2 = self.emulator.ec2();
        assert!(!ec2.instances().is_empty(), "there never was one");
        assert_eq!(ec2.resources(), []);
    }
}
