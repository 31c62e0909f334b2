//! Instances on a clock that is moved by hand.
