//! Times as EC2 writes them.

use std::time::SystemTime;

use crate::date;

/// `2026-01-31T23:59:59.000Z`.
pub(crate) fn text(time: SystemTime) -> String {
    date::extended(time).replace('Z', ".000Z")
}
