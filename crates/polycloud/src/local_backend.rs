//! The embedded provider as a backend: how its URLs read.

use std::sync::Arc;

use polycloud_local::MemoryConfig;

use crate::config::Backend;
use crate::options::Options;
use crate::registry::Shared;
use crate::{Address, Error, ObjectStore, Result};

impl Backend<dyn ObjectStore> for MemoryConfig {
    fn options(address: &Address) -> Result<Options> {
        if !matches!(address.path(), "" | "/") {
            return Err(Error::config(
                "a memory store is named by a host alone, as in memory://bucket; for a part of it use \
                 memory://bucket?prefix=part/",
            ));
        }
        match address.host() {
            "" => Ok(address.options().clone()),
            name => address.options().clone().with("name", name),
        }
    }

    async fn open(&self, shared: &Shared) -> Result<Arc<dyn ObjectStore>> {
        Ok(Arc::new(self.open(&shared.memory).await?))
    }
}
