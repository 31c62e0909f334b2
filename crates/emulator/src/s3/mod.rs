//! Amazon S3: a state machine (`state`) and its face of HTTP and XML (`http`).

mod http;
mod state;
mod time;

pub(crate) use self::http::{error_response, handle, post_object};
pub(crate) use self::state::{Limits, S3State};
