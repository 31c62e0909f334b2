//! Transfers.
