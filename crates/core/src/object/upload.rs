/// An [`Upload`](super::Upload) made of the parts of a [`MultipartStore`](super::MultipartStore).
#[derive(Debug)]
pub struct PartedUpload {}
