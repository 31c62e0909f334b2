//! What our client signs, judged by servers that verify it: URLs, forms, and requests.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail, ensure};
use futures::future::BoxFuture;
use polycloud_aws::{PostPolicy, S3Config, S3Store, Session};
use polycloud_core::ErrorKind;
use polycloud_core::clock::{Clock, Random as _, Sleep, SystemClock, SystemRandom};
use polycloud_core::object::{
    BucketName, Buckets as _, CreateBucketOptions, DeleteBucketOptions, Key, ObjectStore as _,
    ObjectStoreExt as _, SignOptions, SignedRequest,
};

use super::http::{Answer, send};
use super::report::{Check, Verdict};

const KEY: &str = "a//b +ключ&?";
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

type Run = fn(Signing) -> BoxFuture<'static, anyhow::Result<()>>;

/// Every check, by name.
const CHECKS: &[(&str, Run)] = &[
    ("signed/get_by_url", |it| Box::pin(it.get_by_url())),
    ("signed/put_by_url", |it| Box::pin(it.put_by_url())),
    ("signed/head_and_delete_by_url", |it| Box::pin(it.head_and_delete_by_url())),
    ("signed/answers_can_be_changed", |it| Box::pin(it.answers_can_be_changed())),
    ("signed/headers_are_part_of_it", |it| Box::pin(it.headers_are_part_of_it())),
    ("signed/other_methods_are_refused", |it| Box::pin(it.other_methods_are_refused())),
    ("signed/other_keys_are_refused", |it| Box::pin(it.other_keys_are_refused())),
    ("signed/changes_are_refused", |it| Box::pin(it.changes_are_refused())),
    ("signed/late_urls_are_refused", |it| Box::pin(it.late_urls_are_refused())),
    ("signed/forms_are_accepted", |it| Box::pin(it.forms_are_accepted())),
    ("signed/forms_hold_to_their_sizes", |it| Box::pin(it.forms_hold_to_their_sizes())),
    ("signed/changed_forms_are_refused", |it| Box::pin(it.changed_forms_are_refused())),
    ("signed/wrong_secrets_are_refused", |it| Box::pin(it.wrong_secrets_are_refused())),
    ("signed/unknown_keys_are_refused", |it| Box::pin(it.unknown_keys_are_refused())),
    ("signed/payloads_can_be_signed", |it| Box::pin(it.payloads_can_be_signed())),
    ("signed/wrong_clocks_are_corrected", |it| Box::pin(it.wrong_clocks_are_corrected())),
];

/// Runs the checks whose names contain one of `wanted`, one after the other.
pub(crate) async fn run(config: &S3Config, wanted: &[String]) -> anyhow::Result<Vec<Check>> {
    let chosen = CHECKS.iter().filter(|(name, _)| {
        wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()))
    });
    let chosen: Vec<_> = chosen.collect();
    if chosen.is_empty() {
        return Ok(Vec::new());
    }
    let buckets = config.open_buckets(&Session::new()).await?;
    let bucket = BucketName::new(format!("crosscheck-{:016x}", SystemRandom.next_u64()))?;
    buckets.create(&bucket, &CreateBucketOptions::default()).await?;
    let mut config = config.clone();
    config.bucket = Some(bucket.to_string());
    let mut checks = Vec::new();
    for (name, run) in chosen {
        let verdict = match run(Signing::new(&config).await?).await {
            Ok(()) => Verdict::Passed,
            Err(error) => Verdict::Failed(format!("{error:#}")),
        };
        checks.push(Check::new(*name, verdict));
    }
    // What cannot be removed goes with the server.
    let _ = buckets.delete(&bucket, &DeleteBucketOptions::default().with_force(true)).await;
    Ok(checks)
}

/// The clock of a machine that goes wrong.
#[derive(Debug)]
struct Wrong {
    clock: SystemClock,
    ahead: Duration,
    behind: Duration,
}

impl Wrong {
    fn ahead(ahead: Duration) -> Arc<dyn Clock> {
        Arc::new(Self { clock: SystemClock::new(), ahead, behind: Duration::ZERO })
    }

    fn behind(behind: Duration) -> Arc<dyn Clock> {
        Arc::new(Self { clock: SystemClock::new(), ahead: Duration::ZERO, behind })
    }
}

impl Clock for Wrong {
    fn now(&self) -> SystemTime {
        let now = self.clock.now();
        now.checked_add(self.ahead).and_then(|now| now.checked_sub(self.behind)).unwrap_or(now)
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        self.clock.sleep(duration)
    }
}

/// One object in one bucket, and whoever signs for it.
struct Signing {
    config: S3Config,
    store: S3Store,
    key: Key,
}

impl Signing {
    async fn new(config: &S3Config) -> anyhow::Result<Self> {
        let store = config.open(&Session::new()).await?;
        let key = Key::new(KEY)?;
        store.put_bytes(&key, "content").await?;
        Ok(Self { config: config.clone(), store, key })
    }

    async fn sign(&self, options: &SignOptions) -> anyhow::Result<SignedRequest> {
        sign(&self.store, &self.key, options).await
    }

    async fn url(&self, method: &str) -> anyhow::Result<String> {
        let options = SignOptions::new(method.parse()?, 5 * MINUTE);
        Ok(self.sign(&options).await?.expose().to_owned())
    }

    async fn content_is(&self, expected: &str) -> anyhow::Result<()> {
        let found = self.store.get_bytes(&self.key).await?;
        ensure!(found == expected, "the content is `{}`", String::from_utf8_lossy(&found));
        Ok(())
    }

    async fn get_by_url(self) -> anyhow::Result<()> {
        let answer = send("GET", &self.url("GET").await?, &[], b"").await?;
        is(&answer, 200)?;
        ensure!(answer.body == b"content", "the content is `{}`", text(&answer));
        Ok(())
    }

    async fn put_by_url(self) -> anyhow::Result<()> {
        is(&send("PUT", &self.url("PUT").await?, &[], b"new").await?, 200)?;
        self.content_is("new").await
    }

    async fn head_and_delete_by_url(self) -> anyhow::Result<()> {
        let answer = send("HEAD", &self.url("HEAD").await?, &[], b"").await?;
        is(&answer, 200)?;
        ensure!(answer.header("content-length") == Some("7"), "the length is another");
        is(&send("DELETE", &self.url("DELETE").await?, &[], b"").await?, 204)?;
        let gone = self.store.get_bytes(&self.key).await;
        ensure!(gone.is_err_and(|error| error.kind() == ErrorKind::NotFound), "it is still there");
        Ok(())
    }

    async fn answers_can_be_changed(self) -> anyhow::Result<()> {
        let disposition = "attachment; filename=\"a b+c.txt\"";
        let options = SignOptions::new("GET".parse()?, 5 * MINUTE)
            .with_query("response-content-type", "text/x-new")
            .with_query("response-content-disposition", disposition);
        let answer = send("GET", self.sign(&options).await?.expose(), &[], b"").await?;
        is(&answer, 200)?;
        let found = ["content-type", "content-disposition"].map(|name| answer.header(name));
        ensure!(found == [Some("text/x-new"), Some(disposition)], "the headers are {found:?}");
        Ok(())
    }

    async fn headers_are_part_of_it(self) -> anyhow::Result<()> {
        let mut headers = http::HeaderMap::new();
        headers.insert("content-type", "text/plain".parse()?);
        headers.insert("x-amz-meta-a", "b".parse()?);
        let options = SignOptions::new("PUT".parse()?, 5 * MINUTE).with_headers(headers);
        let signed = self.sign(&options).await?;
        let url = signed.expose();
        let wrong = [("content-type", "text/html"), ("x-amz-meta-a", "b")];
        refused(&send("PUT", url, &wrong, b"new").await?)?;
        self.content_is("content").await?;
        let right = [("content-type", "text/plain"), ("x-amz-meta-a", "b")];
        is(&send("PUT", url, &right, b"new").await?, 200)?;
        self.content_is("new").await
    }

    async fn other_methods_are_refused(self) -> anyhow::Result<()> {
        let url = self.url("GET").await?;
        refused(&send("PUT", &url, &[], b"new").await?)?;
        refused(&send("DELETE", &url, &[], b"").await?)?;
        self.content_is("content").await
    }

    async fn other_keys_are_refused(self) -> anyhow::Result<()> {
        let other = Key::new("other")?;
        self.store.put_bytes(&other, "other").await?;
        let url = self.url("GET").await?;
        let (bare, query) = url.split_once('?').context("the URL has no query")?;
        let name = self.config.bucket.as_deref().context("no bucket")?;
        let (host, _) = bare.split_once(name).context("the URL names no bucket")?;
        refused(&send("GET", &format!("{host}{name}/other?{query}"), &[], b"").await?)
    }

    async fn changes_are_refused(self) -> anyhow::Result<()> {
        let url = self.url("GET").await?;
        let longer = url.replace("X-Amz-Expires=300", "X-Amz-Expires=3000");
        ensure!(longer != url, "the URL does not tell when it ends");
        refused(&send("GET", &longer, &[], b"").await?)?;
        let more = format!("{url}&response-content-type=text%2Fhtml");
        refused(&send("GET", &more, &[], b"").await?)
    }

    async fn late_urls_are_refused(self) -> anyhow::Result<()> {
        let session = Session::new().with_clock(Wrong::behind(10 * MINUTE));
        let store = self.config.open(&session).await?;
        let get = |lifetime| SignOptions::new(http::Method::GET, lifetime);
        let late = sign(&store, &self.key, &get(9 * MINUTE)).await?;
        refused(&send("GET", late.expose(), &[], b"").await?)?;
        let early = sign(&store, &self.key, &get(11 * MINUTE)).await?;
        is(&send("GET", early.expose(), &[], b"").await?, 200)
    }

    async fn post(&self, policy: &PostPolicy, content: &str) -> anyhow::Result<Answer> {
        let form = self.store.sign_post(&self.key, policy).await?;
        post(form.url(), form.fields(), content).await
    }

    async fn forms_are_accepted(self) -> anyhow::Result<()> {
        let policy = PostPolicy::new(5 * MINUTE).with_field("Content-Type", "text/x-form");
        is(&self.post(&policy, "from a form").await?, 204)?;
        self.content_is("from a form").await
    }

    async fn forms_hold_to_their_sizes(self) -> anyhow::Result<()> {
        let policy = PostPolicy::new(5 * MINUTE).with_size(2, 4);
        is(&self.post(&policy, "large").await?, 400)?;
        is(&self.post(&policy, "s").await?, 400)?;
        self.content_is("content").await?;
        is(&self.post(&policy, "fine").await?, 204)
    }

    async fn changed_forms_are_refused(self) -> anyhow::Result<()> {
        let form = self.store.sign_post(&self.key, &PostPolicy::new(5 * MINUTE)).await?;
        let mut fields = form.fields().to_vec();
        for (_, value) in
            fields.iter_mut().filter(|(name, _)| name.eq_ignore_ascii_case("x-amz-signature"))
        {
            *value = "0".repeat(64);
        }
        ensure!(fields != form.fields(), "the form has no signature");
        refused(&post(form.url(), &fields, "forged").await?)?;
        self.content_is("content").await
    }

    async fn refuses(self, config: &S3Config) -> anyhow::Result<()> {
        let store = config.open(&Session::new()).await?;
        match store.put_bytes(&self.key, "forged").await {
            Ok(_) => bail!("not refused"),
            Err(error) => ensure!(
                matches!(error.kind(), ErrorKind::Unauthenticated | ErrorKind::PermissionDenied),
                "{error}"
            ),
        }
        self.content_is("content").await
    }

    async fn wrong_secrets_are_refused(self) -> anyhow::Result<()> {
        let id = self.config.access_key_id.clone().context("no key")?;
        let config = self.config.clone().with_credentials(id, "wrong".repeat(8));
        self.refuses(&config).await
    }

    async fn unknown_keys_are_refused(self) -> anyhow::Result<()> {
        let config = self.config.clone().with_credentials("AKIAUNKNOWN000000000", "unknown");
        self.refuses(&config).await
    }

    async fn payloads_can_be_signed(self) -> anyhow::Result<()> {
        let store = self.config.clone().with_sign_payload(true).open(&Session::new()).await?;
        store.put_bytes(&self.key, "signed").await?;
        self.content_is("signed").await
    }

    async fn wrong_clocks_are_corrected(self) -> anyhow::Result<()> {
        for clock in [Wrong::ahead(HOUR), Wrong::behind(HOUR)] {
            let store = self.config.open(&Session::new().with_clock(clock)).await?;
            store.put_bytes(&self.key, "in time").await?;
        }
        self.content_is("in time").await
    }
}

async fn sign(store: &S3Store, key: &Key, options: &SignOptions) -> anyhow::Result<SignedRequest> {
    Ok(store.signer().context("the store does not sign")?.sign(key, options).await?)
}

/// Sends a form as a browser does.
async fn post(url: &str, fields: &[(String, String)], content: &str) -> anyhow::Result<Answer> {
    const BOUNDARY: &str = "crosscheck-boundary";
    let mut body = String::new();
    for (name, value) in fields {
        body.push_str(&format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        ));
    }
    body.push_str(&format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\
         Content-Type: text/plain\r\n\r\n{content}\r\n--{BOUNDARY}--\r\n"
    ));
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    send("POST", url, &[("Content-Type", &kind)], body.as_bytes()).await
}

fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).chars().take(300).collect()
}

fn is(answer: &Answer, status: u16) -> anyhow::Result<()> {
    ensure!(answer.status == status, "{} instead of {status}: {}", answer.status, text(answer));
    Ok(())
}

fn refused(answer: &Answer) -> anyhow::Result<()> {
    ensure!(matches!(answer.status, 400 | 401 | 403), "{}: {}", answer.status, text(answer));
    Ok(())
}
