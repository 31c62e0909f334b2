//! Examples as processes.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

/// The directory with the examples' executables, which are built first if they are not.
pub(crate) fn executables() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        // This executable is TARGET/PROFILE/deps/examples-HASH.
        let this = std::env::current_exe().unwrap();
        let profile = this.ancestors().nth(2).unwrap();
        let name = profile.file_name().unwrap().to_str().unwrap();
        // With the same packages and targets as `cargo test`, everything is there already.
        let output = Command::new(env!("CARGO"))
            .args(["build", "--offline", "--examples"])
            .args(["--profile", if name == "debug" { "dev" } else { name }])
            .arg("--target-dir")
            .arg(profile.parent().unwrap())
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        profile.join("examples")
    })
}

/// Runs an example in a world of its own: its temporary files and its instances' state go into `home`.
pub(crate) fn example(name: &str, home: &Path, arguments: &[&str]) -> Output {
    example_with(name, home, arguments, &[])
}

pub(crate) fn example_with(
    name: &str,
    home: &Path,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> Output {
    command(name, home, arguments, environment).output().unwrap()
}

pub(crate) fn command(
    name: &str,
    home: &Path,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> Command {
    let mut command = Command::new(executables().join(name));
    command
        .args(arguments)
        .envs(environment.iter().copied())
        .env("TMPDIR", home)
        .env("XDG_STATE_HOME", home.join("state"));
    command
}

/// An example that runs. It is killed if the test fails before it ends.
pub(crate) struct Running {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    /// The next line that it prints.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line
    }

    /// Sends it a signal, and returns how it ended and the rest of what it printed.
    pub(crate) fn end(&mut self, signal: &str) -> (Option<i32>, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // An error here is a process that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn succeed(name: &str, home: &Path, arguments: &[&str]) -> String {
    let output = example(name, home, arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{name}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// The job has removed its directory, and no process works in it.
pub(crate) fn nothing_is_left(home: &Path) {
    let names = fs::read_dir(home).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> =
        names.filter(|name| name.to_string_lossy().starts_with("mapreduce-")).collect();
    assert!(left.is_empty(), "{left:?}");
    for process in fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
        // A process that ends meanwhile has no command line any more.
        let command = fs::read(process.path().join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).into_owned();
        assert!(!command.contains(home.to_str().unwrap()), "{command}");
    }
}
