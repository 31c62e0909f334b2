//! Images.

use std::time::SystemTime;

use super::call::Actions;
use super::state::Region;

pub(crate) const ACTIONS: Actions = &[];

/// An image.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) owner: String,
    pub(crate) architecture: String,
    /// `pending`, `available` or `failed`.
    pub(crate) state: &'static str,
    pub(crate) root_device: String,
    pub(crate) root_snapshot: String,
    pub(crate) root_size_gib: u32,
    pub(crate) created: SystemTime,
}

/// The public images.
pub(crate) fn set_up(region: &mut Region) {
    for (number, architecture) in ["x86_64", "arm64"].into_iter().enumerate() {
        let id = region.new_id("ami");
        let image = Image {
            id: id.clone(),
            name: format!("image-{number}"),
            owner: "137112412989".to_owned(),
            architecture: architecture.to_owned(),
            state: "available",
            root_device: "/dev/xvda".to_owned(),
            root_snapshot: region.new_id("snap"),
            root_size_gib: 8,
            created: SystemTime::UNIX_EPOCH,
        };
        region.images.insert(id, image);
    }
}

/// What happens to an image at its time.
pub(crate) fn settle(region: &mut Region, id: &str, _due: SystemTime) {
    if let Some(image) = region.images.get_mut(id) {
        image.state = "available";
    }
}
