//! Console, images, quotas and resizing.

use std::fs;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use polycloud_core::compute::{
    Console, ConsoleOutput, Hardware, Image, ImageBuild, Images, InstanceId, Quota, Quotas, Resize,
};
use polycloud_core::{Error, ErrorKind, Result};

use super::error::failed;
use super::journal::{FileLock, InstanceDir, Phase, invalid_state, is_gone, read_from, sync_dir};
use super::provider::Nothing;
use super::{Handle, Inner, ids, image, not_found, tree, types};

/// Most console output of one read.
const CONSOLE_READ: u64 = 1 << 20;

/// What the names of unfinished images begin with; no image can be called so.
const UNFINISHED: &str = ".new-";

#[async_trait]
impl Console for Handle {
    async fn output(&self, id: &InstanceId, from: u64) -> Result<ConsoleOutput> {
        self.on("console", id, &Nothing, move |_, dir| {
            dir.read()?.ok_or_else(not_found)?;
            match read_from(&dir.console(), from, CONSOLE_READ) {
                Ok((data, size)) => Ok(ConsoleOutput::new(from.min(size), Bytes::from(data))),
                Err(error) if is_gone(&error) => Ok(ConsoleOutput::default()),
                Err(error) => Err(failed("cannot read the console", error)),
            }
        })
        .await
    }
}

#[async_trait]
impl Images for Handle {
    async fn create(&self, build: &ImageBuild) -> Result<Image> {
        let name = build.name.clone();
        self.on("create_image", &build.instance, &Nothing, move |inner, dir| {
            inner.create_image(dir, &name)
        })
        .await
    }

    async fn list(&self) -> Result<Vec<Image>> {
        self.at("list_images", &"", &[], |inner| image::list(&inner.images())).await
    }

    async fn delete(&self, id: &str) -> Result<()> {
        let owned = id.to_owned();
        self.at("delete_image", &id, &[], move |inner| {
            if !image::is_name(&owned) {
                return Err(Error::invalid("only images in the directory for them are deleted"));
            }
            let removed = image::find(&inner.images(), &owned).map_or(Ok(()), |p| tree::remove(&p));
            removed.map_err(|error| failed("cannot remove the image", error))
        })
        .await
    }
}

#[async_trait]
impl Quotas for Handle {
    async fn list(&self) -> Result<Vec<Quota>> {
        self.at("list_quotas", &"", &[], |inner| {
            let records = inner.records()?;
            let living = records.iter().filter(|record| record.phase != Phase::Terminating);
            let used = u32::try_from(living.count()).unwrap_or(u32::MAX);
            Ok(vec![Quota::new("instances", inner.capacity.into(), Some(used.into()))])
        })
        .await
    }
}

#[async_trait]
impl Resize for Handle {
    async fn resize(&self, id: &InstanceId, hardware: &Hardware) -> Result<()> {
        let hardware = hardware.clone();
        self.on("resize", id, &Nothing, move |inner, dir| inner.resize(dir, &hardware)).await
    }
}

impl Inner {
    fn create_image(self: &Arc<Self>, dir: &InstanceDir, name: &str) -> Result<Image> {
        if !image::is_name(name) {
            return Err(Error::invalid(format!(
                "an image name is 1 to 128 letters, digits, '.', '_' and '-', the first of which is a \
                 letter or digit; this one is {name:?}"
            )));
        }
        let record = self.observe(dir)?.ok_or_else(not_found)?;
        if record.phase == Phase::Terminating || !dir.disk().exists() {
            return Err(invalid_state(&record, "made an image of"));
        }
        let _lock = self.lock_images()?;
        if image::find(&self.images(), name).is_some() {
            return Err(Error::new(ErrorKind::AlreadyExists)
                .with_message(format!("there is an image {name:?} already")));
        }
        let file = format!("{name}.tar");
        let unfinished = self.images().join(format!("{UNFINISHED}{}", ids::draw(&*self.random)));
        let pack = || {
            image::pack(&dir.disk(), &unfinished)?;
            fs::rename(&unfinished, self.images().join(&file))?;
            sync_dir(&self.images())
        };
        if let Err(error) = pack() {
            let _a_sweep_removes_it = tree::remove(&unfinished);
            return Err(if error.kind() == std::io::ErrorKind::InvalidData {
                Error::new(ErrorKind::InvalidState).with_message(error.to_string())
            } else {
                failed("cannot make the image", error)
            });
        }
        Ok(Image::new(file, name, types::ARCH))
    }

    /// Keeps others from making images.
    fn lock_images(&self) -> Result<FileLock> {
        let lock = fs::File::open(self.images()).and_then(FileLock::wait);
        lock.map_err(|error| failed("cannot lock the directory of images", error))
    }

    /// Removes images whose making was cut short.
    pub(super) fn remove_unfinished_images(&self) -> Result<()> {
        let _lock = self.lock_images()?;
        let remove = || {
            for entry in fs::read_dir(self.images())? {
                let entry = entry?;
                if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                    tree::remove(&entry.path())?;
                }
            }
            Ok(())
        };
        remove().map_err(|error| failed("cannot remove an unfinished image", error))
    }
}
