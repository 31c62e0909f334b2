//! Cases of computes.

use crate::case::Case;

mod address;
mod console;
mod create;
mod data;
mod facet;
#[cfg(test)]
mod fake;
mod hardware;
mod id;
mod image;
mod lab;
mod labels;
mod list;
mod location;
mod many;
mod state;
mod stop;
mod sweep;
mod terminate;
mod token;
mod wait;

/// The cases of each file.
pub(crate) static AREAS: &[&[Case]] = &[
    create::CASES,
    token::CASES,
    many::CASES,
    state::CASES,
    wait::CASES,
    stop::CASES,
    terminate::CASES,
    list::CASES,
    labels::CASES,
    id::CASES,
    address::CASES,
    data::CASES,
    console::CASES,
    hardware::CASES,
    location::CASES,
    image::CASES,
    sweep::CASES,
    facet::CASES,
];
