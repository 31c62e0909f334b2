use std::sync::Mutex;
use std::time::Duration;

use super::fake::{FakeCompute, FakeStore, instance, key};
use super::*;
use crate::compute::{
    Arch, Count, Hardware, ImageBuild, ImageSelector, InstanceName, InstanceSpec, NewVolume, Owner,
    PublicKey, SweepOptions,
};
use crate::object::{CopySource, DeleteItem, PartNumber, SignOptions, UploadId};

/// Writes down every call that passes.
#[derive(Debug, Clone, Default)]
struct Recorder(Arc<Mutex<Vec<String>>>);

impl Around for Recorder {
    async fn around<'a, T, F>(&'a self, call: Call<'a>, run: F) -> Result<T>
    where
        T: Send + 'a,
        F: Future<Output = Result<T>> + Send + 'a,
    {
        assert_eq!(call.provider, "fake");
        let mark = if call.writes { "!" } else { "" };
        let line = format!("{}{mark} {}", call.operation, call.target);
        self.0.lock().unwrap().push(line.trim_end().to_owned());
        run.await
    }
}

impl Recorder {
    /// The calls since the last time, those that write marked by a `!`.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// The names of the calls that [`Recorder::take`] returned.
fn names(passed: &[String]) -> Vec<&str> {
    passed.iter().map(|line| line.split(['!', ' ']).next().unwrap()).collect()
}

#[tokio::test]
async fn every_call_of_a_store_passes_once_and_reaches_the_backend() {
    let (fake, recorder) = (FakeStore::default(), Recorder::default());
    let store = store(Arc::new(fake.clone()), recorder.clone());
    let a = key("a");
    store.put(&a, "1".into(), &Default::default()).await.unwrap();
    store.get(&a, &Default::default()).await.unwrap();
    store.head(&a, &Default::default()).await.unwrap();
    let mut upload = store.upload(&a, &Default::default()).await.unwrap();
    upload.write("2".into()).await.unwrap();
    upload.complete().await.unwrap();
    store.upload(&a, &Default::default()).await.unwrap().abort().await.unwrap();
    store.list_page(&Default::default(), None).await.unwrap();
    store.copy(&a.clone().into(), &key("b"), &Default::default()).await.unwrap();
    store.update(&a, &Default::default()).await.unwrap();
    store.delete(&a, &Default::default()).await.unwrap();
    store.delete_many(vec![DeleteItem::from(a)]).await;
    let passed = recorder.take();
    assert_eq!(names(&passed), fake.take_calls());
    let expected = "put! a|get a|head a|upload! a|write! a|complete! a|upload! a|abort! a|list_page|\
                    copy! b|update! a|delete! a|delete_many! 1 objects";
    assert_eq!(passed.join("|"), expected);
}

#[tokio::test]
async fn the_facets_of_a_store_pass_too() {
    let (fake, recorder) = (FakeStore::default(), Recorder::default());
    let store = store(Arc::new(fake.clone()), recorder.clone());
    let (a, id, one) = (key("a"), UploadId::new("u"), PartNumber::new(1).unwrap());
    let options = SignOptions::new(http::Method::GET, Duration::from_secs(1));
    store.signer().unwrap().sign(&a, &options).await.unwrap();
    let parts = store.multipart().unwrap();
    parts.create(&a, &Default::default()).await.unwrap();
    parts.put_part(&a, &id, one, "1".into()).await.unwrap();
    parts.copy_part(&a, &id, one, &CopySource::new(a.clone()), None).await.unwrap();
    parts.parts(&a, &id).await.unwrap();
    parts.uploads("a", None).await.unwrap();
    parts.complete(&a, &id, &[], &Default::default()).await.unwrap();
    parts.abort(&a, &id).await.unwrap();
    let passed = recorder.take();
    assert_eq!(names(&passed), fake.take_calls());
    let expected = "sign a|create_multipart! a|put_part! a|copy_part! a|parts a|uploads a|\
                    complete_multipart! a|abort_multipart! a";
    assert_eq!(passed.join("|"), expected);
}

#[tokio::test]
async fn every_call_of_a_compute_passes_once_and_reaches_the_backend() {
    let (fake, recorder) = (FakeCompute::default(), Recorder::default());
    let compute = compute(Arc::new(fake.clone()), recorder.clone());
    let (id, spec) = (instance(), InstanceSpec::new(InstanceName::new("web").unwrap()));
    compute.create(&spec, &Default::default()).await.unwrap_err();
    compute.create_many(&spec, Count::exactly(1).unwrap(), &Default::default()).await.unwrap();
    compute.get(&id).await.unwrap_err();
    compute.list_page(&Default::default(), None).await.unwrap();
    compute.start(&id).await.unwrap();
    compute.stop(&id, Default::default()).await.unwrap();
    compute.restart(&id, Default::default()).await.unwrap();
    compute.terminate(&id, &Default::default()).await.unwrap();
    compute.set_labels(&id, &Default::default()).await.unwrap();
    compute.locations().await.unwrap();
    compute.types_page(&Default::default(), None).await.unwrap();
    let image = ImageSelector::Alias("debian:12".into());
    let error = compute.resolve_image(&image, Arch::Arm64).await.unwrap_err();
    assert_eq!(error.to_string(), "resolve_image debian:12: not found");
    let passed = recorder.take();
    assert_eq!(names(&passed), fake.take_calls());
    let expected = "create! web|create_many! web|get ID|list_page|start! ID|stop! ID|restart! ID|\
                    terminate! ID|set_labels! ID|locations|types_page|resolve_image debian:12";
    assert_eq!(passed.join("|"), expected.replace("ID", "fake:here/i-1"));
}

/// Calls every method of every facet, all of which find nothing.
async fn call_all_facets(compute: &dyn Compute) -> Option<()> {
    let id = instance();
    let ssh = PublicKey::new(
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    );
    let _ = compute.key_pairs()?.import("k", &ssh.unwrap()).await;
    let _ = compute.key_pairs()?.generate("k").await;
    let _ = compute.key_pairs()?.list().await;
    let _ = compute.key_pairs()?.delete("k").await;
    let _ = compute.volumes()?.create(&NewVolume::new("v", 1)).await;
    let _ = compute.volumes()?.get("v").await;
    let _ = compute.volumes()?.list().await;
    let _ = compute.volumes()?.attach("v", &id).await;
    let _ = compute.volumes()?.detach("v").await;
    let _ = compute.volumes()?.delete("v").await;
    let _ = compute.volumes()?.snapshot("v", "s").await;
    let _ = compute.volumes()?.snapshots().await;
    let _ = compute.volumes()?.delete_snapshot("s").await;
    let _ = compute.networks()?.list().await;
    let _ = compute.networks()?.default_network().await;
    let _ = compute.firewalls()?.create("f", &[]).await;
    let _ = compute.firewalls()?.list().await;
    let _ = compute.firewalls()?.set_rules("f", &[]).await;
    let _ = compute.firewalls()?.delete("f").await;
    let _ = compute.images()?.create(&ImageBuild::new("i", id.clone())).await;
    let _ = compute.images()?.list().await;
    let _ = compute.images()?.delete("i").await;
    let _ = compute.console()?.output(&id, 0).await;
    let _ = compute.quotas()?.list().await;
    let _ = compute.resize()?.resize(&id, &Hardware::default()).await;
    let _ = compute.prices()?.hourly("t", false).await;
    let owner = Owner::new("o").unwrap();
    let _ = compute.sweep()?.sweep(&SweepOptions::new(owner)).await;
    Some(())
}

#[tokio::test]
async fn every_facet_of_a_compute_passes_too() {
    let (fake, recorder) = (FakeCompute::default(), Recorder::default());
    call_all_facets(&*compute(Arc::new(fake.clone()), recorder.clone())).await.unwrap();
    let passed = recorder.take();
    assert_eq!(names(&passed), fake.take_calls());
    let expected = "import_key_pair! k|generate_key_pair! k|list_key_pairs|delete_key_pair! k|\
        create_volume! v|get_volume v|list_volumes|attach_volume! v|detach_volume! v|delete_volume! v|\
        create_snapshot! v|list_snapshots|delete_snapshot! s|list_networks|default_network|\
        create_firewall! f|list_firewalls|set_firewall_rules! f|delete_firewall! f|\
        create_image! ID|list_images|delete_image! i|console ID|list_quotas|resize! ID|\
        hourly_price t|sweep! o";
    assert_eq!(passed.join("|"), expected.replace("ID", "fake:here/i-1"));
}

#[test]
fn facets_are_there_only_if_the_backend_has_them() {
    let bare = compute(Arc::new(FakeCompute::bare()), Recorder::default());
    assert!(bare.key_pairs().is_none() && bare.volumes().is_none() && bare.networks().is_none());
    assert!(bare.firewalls().is_none() && bare.images().is_none() && bare.console().is_none());
    assert!(bare.quotas().is_none() && bare.resize().is_none() && bare.prices().is_none());
    assert!(bare.sweep().is_none());
}

#[test]
fn native_reaches_the_backend_through_all_layers() {
    let inner = store(Arc::new(FakeStore::default()), Recorder::default());
    let outer = store(inner, Tracing::new());
    assert!(outer.native().is::<FakeStore>());
    let outer = compute(Arc::new(FakeCompute::default()), Tracing::new());
    assert!(outer.native().is::<FakeCompute>());
}

#[tokio::test]
async fn the_last_layer_is_the_outermost() {
    let (inner, outer) = (Recorder::default(), Recorder::default());
    let fake = store(Arc::new(FakeStore::default()), inner.clone());
    let fake = store(fake, Prefix::new("p/").unwrap());
    let fake = store(fake, outer.clone());
    fake.put(&key("a"), "1".into(), &Default::default()).await.unwrap();
    assert_eq!(outer.take(), ["put! a"]);
    assert_eq!(inner.take(), ["put! p/a"]);
}
