use super::error::SendError;

pub(super) fn body_error(error: hyper::Error) -> SendError {
    SendError::new(super::error::SendErrorKind::Closed).with_source(error)
}
