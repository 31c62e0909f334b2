//! Scripts as groups of processes.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{self, PipeReader, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use rustix::io::retry_on_intr;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

use super::disks::{Disk, Disks, SCRIPT};
use super::{Console, power};

/// Tries to run a script that another thread's new process still has open for writing.
const BUSY_TRIES: u32 = 50;

/// The scripts of all instances, by their ids.
#[derive(Debug, Default)]
pub(super) struct Runner(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    running: BTreeMap<String, Arc<Machine>>,
    disks: Disks,
    /// Instances that switched themselves off.
    off: Arc<Mutex<Vec<String>>>,
    /// Ends once all processes of an instance have.
    threads: Vec<JoinHandle<()>>,
    closed: bool,
}

impl Runner {
    /// Runs scripts one after the other, on a disk like that of the image.
    pub(super) fn run(&self, id: &str, image: &str, scripts: Vec<Vec<u8>>, console: &Console) {
        let machine = Arc::new(Machine::default());
        let mut state = self.lock();
        if state.closed {
            return;
        }
        let disk = match state.disks.boot(id, image) {
            Ok(disk) => disk,
            Err(error) => {
                console.write(format!("no folder for user data: {error}\n").as_bytes());
                return;
            }
        };
        state.threads.retain(|thread| !thread.is_finished());
        let (runs, output) = (Arc::clone(&machine), console.clone());
        let (off, own) = (Arc::clone(&state.off), id.to_owned());
        let switched_off = move || off.lock().unwrap_or_else(PoisonError::into_inner).push(own);
        let thread = thread::Builder::new().name(format!("user data of {id}"));
        match thread.spawn(move || runs.boot(&disk, &scripts, &output, switched_off)) {
            Ok(thread) => {
                state.threads.push(thread);
                state.running.insert(id.to_owned(), machine);
            }
            Err(error) => console.write(format!("no thread for user data: {error}\n").as_bytes()),
        }
    }

    /// Ends the processes of an instance.
    pub(super) fn kill(&self, id: &str) {
        if let Some(machine) = self.lock().running.remove(id) {
            machine.end();
        }
    }

    /// Keeps for an image what is on the disk of an instance. Errors are told on its console.
    pub(super) fn keep(&self, id: &str, image: &str, console: &Console) {
        if let Err(error) = self.lock().disks.keep(id, image) {
            console.write(format!("the image has no content: {error}\n").as_bytes());
        }
    }

    /// Forgets the disk of an instance or image.
    pub(super) fn forget(&self, id: &str) {
        self.lock().disks.remove(id);
    }

    /// The instances that have switched themselves off since this was last asked.
    pub(super) fn take_off(&self) -> Vec<String> {
        let off = Arc::clone(&self.lock().off);
        let mut off = off.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *off)
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.kill_all();
    }

    pub(super) fn kill_all(&self) {
        let mut state = self.lock();
        let (running, threads) =
            (std::mem::take(&mut state.running), std::mem::take(&mut state.threads));
        state.disks.clear();
        drop(state);
        for machine in running.values() {
            machine.end();
        }
        for thread in threads {
            // A thread that panicked has ended too.
            let _ = thread.join();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The processes of one instance.
#[derive(Default)]
struct Machine(Mutex<Inside>, std::sync::Condvar);

#[derive(Default)]
struct Inside {
    ended: bool,
    /// The leaders of the groups. They are waited for at the end only: until then nobody else gets their
    /// ids, and what they left running in the background is found by them.
    leaders: Vec<Child>,
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine").field("leaders", &self.lock().leaders.len()).finish()
    }
}

impl Machine {
    /// Runs the scripts, and returns once the instance has ended.
    fn boot(
        &self,
        disk: &Disk,
        scripts: &[Vec<u8>],
        console: &Console,
        switched_off: impl FnOnce(),
    ) {
        for (number, script) in scripts.iter().enumerate() {
            match self.start(disk.path(), number, script, console) {
                Ok(Some(leader)) => {
                    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
                    let status =
                        retry_on_intr(|| rustix::process::waitid(WaitId::Pid(leader), options));
                    if power::is_off(disk.path()) {
                        switched_off();
                        break;
                    }
                    let code = status.ok().flatten().and_then(|status| status.exit_status());
                    if code.is_some_and(|code| code != 0) {
                        let text = format!("user data ended with status {}\n", code.unwrap_or(0));
                        console.write(text.as_bytes());
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    console.write(format!("user data does not run: {error}\n").as_bytes());
                }
            }
        }
        let mut inside = self.lock();
        while !inside.ended {
            inside = self.1.wait(inside).unwrap_or_else(PoisonError::into_inner);
        }
        for mut leader in inside.leaders.drain(..) {
            // Its group was killed.
            let _ = leader.wait();
        }
    }

    /// Starts a script; None: the instance has ended.
    fn start(
        &self,
        dir: &Path,
        number: usize,
        script: &[u8],
        console: &Console,
    ) -> io::Result<Option<Pid>> {
        let path = dir.join(format!("{SCRIPT}{number}"));
        let mut file =
            fs::OpenOptions::new().write(true).create_new(true).mode(0o700).open(&path)?;
        io::Write::write_all(&mut file, script)?;
        drop(file);
        let (reader, writer) = io::pipe()?;
        let mut inside = self.lock();
        if inside.ended {
            return Ok(None);
        }
        let child = spawn(&path, dir, &writer)?;
        drop(writer);
        let leader = Pid::from_raw(child.id().cast_signed());
        inside.leaders.push(child);
        drop(inside);
        let console = console.clone();
        thread::Builder::new().spawn(move || copy(reader, &console))?;
        leader.map(Some).ok_or_else(|| io::Error::other("a process without an id"))
    }

    /// Kills all processes.
    fn end(&self) {
        let mut inside = self.lock();
        inside.ended = true;
        for leader in &inside.leaders {
            if let Some(group) = Pid::from_raw(leader.id().cast_signed()) {
                // An error here is a group of which nobody is left.
                let _ = rustix::process::kill_process_group(group, Signal::KILL);
            }
        }
        self.1.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn spawn(path: &Path, dir: &Path, output: &io::PipeWriter) -> io::Result<Child> {
    let host = std::env::var_os("PATH")
        .unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin".into());
    let mut search_path = power::folder(dir).into_os_string();
    search_path.push(":");
    search_path.push(host);
    let mut tries = 0;
    loop {
        let spawned = Command::new(path)
            .current_dir(dir)
            .env_clear()
            .env("PATH", &search_path)
            .env("HOME", dir)
            .env("LANG", "C.UTF-8")
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output.try_clone()?)
            .process_group(0)
            .spawn();
        match spawned {
            Err(error)
                if error.kind() == io::ErrorKind::ExecutableFileBusy && tries < BUSY_TRIES =>
            {
                tries += 1;
                thread::yield_now();
            }
            spawned => return spawned,
        }
    }
}

/// Takes the output in until nobody can write any more.
fn copy(mut from: PipeReader, console: &Console) {
    let mut buffer = [0; 8192];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return,
            Ok(read) => console.write(buffer.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
