//! How an instance gets the program that it runs, and its user data.

use std::time::Duration;

use http::Method;
use polycloud::object::{Key, SignOptions};
use polycloud::{ObjectStore, StoreBackend, StoreConfig};

use crate::Result;

/// How long the URL of the program is good for: until the last replacement of a worker has booted.
const GOOD_FOR: Duration = Duration::from_secs(12 * 3600);

/// The shell command by which an instance fetches an object into the file `worker`.
///
/// It needs no credentials: a store that signs URLs hands one out, and the files of a `file:` store
/// are read as they are. The images of most distributions have `curl` or `wget`, which fetch a URL.
pub(crate) async fn fetch_command(store: &dyn ObjectStore, url: &str, key: &Key) -> Result<String> {
    if let Some(signer) = store.signer() {
        let request = signer.sign(key, &SignOptions::new(Method::GET, GOOD_FOR)).await?;
        return Ok(download(&quoted(request.expose())));
    }
    let config = StoreConfig::from_url(url)?;
    let StoreBackend::File(file) = config.backend else {
        return Err("workers cannot reach this store: it is in the memory of one process".into());
    };
    let path = file.path.join(format!("{}{key}", config.prefix.unwrap_or_default()));
    Ok(format!("cp {} worker", quoted(&path.to_string_lossy())))
}

/// The command that fetches a quoted URL into the file `worker`.
fn download(url: &str) -> String {
    format!(
        "if command -v curl >/dev/null; then curl -fsS --retry 5 -o worker {url}\n\
         elif command -v wget >/dev/null; then wget -q -t 5 -O worker {url}\n\
         else echo \"neither curl nor wget is installed\"; exit 1; fi"
    )
}

/// The user data of an instance: it fetches the program, runs it, and switches the machine off when
/// that ends, because a machine without its worker is of no use.
pub(crate) fn user_data(
    fetch: &str,
    environment: &[(String, String)],
    arguments: &[&str],
) -> String {
    let export = |(name, value): &(String, String)| format!("export {name}={}\n", quoted(value));
    let exports: String = environment.iter().map(export).collect();
    let arguments: Vec<String> = arguments.iter().map(|argument| quoted(argument)).collect();
    let arguments = arguments.join(" ");
    format!(
        "#!/bin/sh\n\
         off() {{ if [ -n \"${{POLYCLOUD_INSTANCE_ID:-}}\" ]; then kill 0; else shutdown -h now; fi; }}\n\
         trap off EXIT\n\
         set -eu\n\
         {exports}{fetch}\n\
         chmod +x worker\n\
         ./worker {arguments}\n"
    )
}

/// Quotes text for the shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_has_curl_or_wget() {
        let script = download("'https://example.com/a?b&c'");
        let run = |path: &str| {
            let mut shell = std::process::Command::new("/bin/sh");
            shell.args(["-c", &script]).env("PATH", path).output().unwrap()
        };
        let tools = tempfile::tempdir().unwrap();
        let path = tools.path().to_str().unwrap();
        let neither = run(path);
        assert!(!neither.status.success());
        assert_eq!(neither.stdout, b"neither curl nor wget is installed\n");
        for (tool, arguments) in [("wget", "-q -t 5 -O"), ("curl", "-fsS --retry 5 -o")] {
            std::os::unix::fs::symlink("/bin/echo", tools.path().join(tool)).unwrap();
            let told = String::from_utf8(run(path).stdout).unwrap();
            assert_eq!(told, format!("{arguments} worker https://example.com/a?b&c\n"));
        }
    }

    #[test]
    fn no_text_leaves_its_quotes() {
        let environment = [("SECRET".to_owned(), "a'b".to_owned())];
        let script = user_data("cp a worker", &environment, &["it's", "$(reboot)"]);
        assert!(script.contains("\nexport SECRET='a'\\''b'\ncp a worker\n"), "{script}");
        assert!(script.ends_with("\n./worker 'it'\\''s' '$(reboot)'\n"), "{script}");
    }
}
