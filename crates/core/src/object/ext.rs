use super::store::ObjectStore;

/// Conveniences for every [`ObjectStore`].
pub trait ObjectStoreExt: ObjectStore {}

impl<T: ObjectStore + ?Sized> ObjectStoreExt for T {}
