//! Where others do not do what Amazon S3 does, and why that is no fault of ours.
//!
//! Those of EC2 are in [`ec2`].
//!
//! A check that fails without being listed here fails the cross-check, and so does one that is listed and
//! does not fail.

pub(crate) mod ec2;

/// Checks that fail for one reason.
#[derive(Debug)]
pub(crate) struct Deviation {
    /// Against what, or by what, is checked.
    pub(crate) part: &'static str,
    pub(crate) reason: &'static str,
    /// Whether they fail in every run, and not only when threads meet.
    pub(crate) always: bool,
    pub(crate) checks: &'static [&'static str],
}

const fn always(
    part: &'static str,
    reason: &'static str,
    checks: &'static [&'static str],
) -> Deviation {
    Deviation { part, reason, always: true, checks }
}

const fn sometimes(
    part: &'static str,
    reason: &'static str,
    checks: &'static [&'static str],
) -> Deviation {
    Deviation { part, reason, always: false, checks }
}

const MOTO: &str = "servers/moto";
const MINISTACK: &str = "servers/ministack";
const S3S_FS: &str = "servers/s3s-fs";

pub(crate) const DEVIATIONS: &[Deviation] = &[
    always(
        MOTO,
        "Keys with line breaks have no route.",
        &[
            "keys/control_characters",
            "keys/weird_copy",
            "keys/weird_create",
            "keys/weird_delete_many",
            "keys/weird_groups",
            "keys/weird_list",
            "keys/weird_multipart",
            "keys/weird_page_ends",
            "keys/weird_prefix",
            "keys/weird_start_after",
            "keys/weird_upload",
            "keys/weird_versions",
            "versions/pages_add_up",
        ],
    ),
    always(
        MOTO,
        "If-Match: * of a delete is compared with the ETag.",
        &["conditions_write/delete_if_exists_present"],
    ),
    always(
        MOTO,
        "Conditions on the target of a copy are ignored.",
        &[
            "copy/both_conditions",
            "copy/condition_is_about_the_target",
            "copy/if_absent_taken",
            "copy/if_unchanged_stale",
            "races/create_by_copy",
        ],
    ),
    always(
        MOTO,
        "If-Match of completing an upload is ignored.",
        &["multipart/complete_if_unchanged"],
    ),
    sometimes(
        MOTO,
        "Threads that write to one key meet: conditions are not checked in one step with the write.",
        &[
            "races/create_by_all_means",
            "races/create_by_multipart",
            "races/copies_during_overwrites",
        ],
    ),
    always(
        MOTO,
        "An object that is replaced by a copy without tags keeps its own.",
        &["copy/drops_those_of_the_target"],
    ),
    always(
        MOTO,
        "A group is left out if its name is before the start, whatever is in it.",
        &["list/start_after_within_group", "paging/sizes_add_up_behind_a_start"],
    ),
    always(
        MOTO,
        "A continuation token that was not issued ends in status 500.",
        &["list/foreign_token"],
    ),
    always(
        MOTO,
        "Delete markers are listed behind all versions, and not among them.",
        &["versions/marker_is_listed", "versions/put_after_delete"],
    ),
    always(MOTO, "A page of versions has more groups than asked for.", &["versions/groups"]),
    always(
        MOTO,
        "A listing of versions is lost when the version is removed at which a page ended.",
        &["versions/removed_meanwhile"],
    ),
    always(
        MOTO,
        "Versions are lost when versioning is suspended.",
        &["versioning/off_and_on", "versioning/off_keeps_versions"],
    ),
    always(
        MOTO,
        "The versioning of a bucket that never had it is told by a document that the AWS SDK refuses.",
        &[
            "bucket_settings/location",
            "buckets/create_and_head",
            "buckets/creation_time",
            "buckets/versioning_is_told",
        ],
    ),
    always(
        MOTO,
        "Creating one's own bucket again succeeds, as in the first region of Amazon and nowhere else.",
        &["buckets/create_race"],
    ),
    always(
        MOTO,
        "Headers with underscores are lost on their way through the web server.",
        &["attributes/metadata_names"],
    ),
    always(MOTO, "Metadata has no limit.", &["attributes/metadata_limit"]),
    always(
        MOTO,
        "Checksums are not verified.",
        &[
            "checksums/crc32c_wrong",
            "checksums/crc64nvme_wrong",
            "checksums/md5_wrong",
            "checksums/sha256_wrong",
            "multipart/wrong_checksum",
        ],
    ),
    always(
        MOTO,
        "Checksums are kept only if the client also names their algorithm.",
        &[
            "checksums/crc32c_computed",
            "checksums/crc32c_right",
            "checksums/crc64nvme_computed",
            "checksums/crc64nvme_right",
            "checksums/full_read_is_verified",
            "checksums/of_pieces",
            "checksums/sha256_computed",
            "checksums/sha256_right",
        ],
    ),
    always(
        MOTO,
        "The checksum of an upload is always composed of those of the parts.",
        &["multipart/right_checksum"],
    ),
    always(MOTO, "An empty set of tags ends in status 500.", &["update/no_tags"]),
    always(
        MOTO,
        "Parts of an upload that is not known end in status 500.",
        &["multipart/abort", "multipart/unknown_after_complete"],
    ),
    always(
        MOTO,
        "The parts of an upload are listed under every key.",
        &["multipart/upload_of_another_key"],
    ),
    always(
        MOTO,
        "The order in which parts are named is not checked.",
        &["multipart/named_out_of_order"],
    ),
    always(MOTO, "Uploads are not listed in the order of keys.", &["multipart/uploads_listed"]),
    always(
        MOTO,
        "Once it verifies signatures, requests that are signed in their URL or form end in status 500.",
        &[
            "signed/answers_can_be_changed",
            "signed/changed_forms_are_refused",
            "signed/changes_are_refused",
            "signed/forms_are_accepted",
            "signed/forms_hold_to_their_sizes",
            "signed/get_by_url",
            "signed/head_and_delete_by_url",
            "signed/headers_are_part_of_it",
            "signed/late_urls_are_refused",
            "signed/other_keys_are_refused",
            "signed/other_methods_are_refused",
            "signed/put_by_url",
        ],
    ),
    always(
        MINISTACK,
        "Conditions on the target of a copy are ignored.",
        &[
            "copy/both_conditions",
            "copy/condition_is_about_the_target",
            "copy/if_absent_taken",
            "copy/if_unchanged_stale",
            "races/create_by_copy",
        ],
    ),
    sometimes(
        MINISTACK,
        "Conditions on the target of a copy are ignored, also where copies are rivals of other writes.",
        &["races/create_by_all_means"],
    ),
    always(
        MINISTACK,
        "The suffix of an empty object is answered with the range 0 to -1.",
        &["range/suffix_of_empty_object"],
    ),
    always(
        MINISTACK,
        "A group is left out if its name is before the start, whatever is in it.",
        &["list/start_after_within_group", "paging/sizes_add_up_behind_a_start"],
    ),
    always(
        MINISTACK,
        "A continuation token that was not issued is taken for one.",
        &["list/foreign_token"],
    ),
    always(
        MINISTACK,
        "A page of versions that ends with a group is followed by itself.",
        &["versions/groups"],
    ),
    always(
        MINISTACK,
        "A listing of versions is lost when the version is removed at which a page ended.",
        &["versions/removed_meanwhile"],
    ),
    always(
        MINISTACK,
        "Creating one's own bucket again succeeds, as in the first region of Amazon and nowhere else.",
        &["buckets/create_race"],
    ),
    always(MINISTACK, "Metadata has no limit.", &["attributes/metadata_limit"]),
    always(MINISTACK, "An object that is replaced keeps its tags.", &["tags/overwrite_drops"]),
    always(MINISTACK, "Tags of an upload are lost.", &["multipart/attributes"]),
    always(
        MINISTACK,
        "The order in which parts are named is not checked.",
        &["multipart/named_out_of_order"],
    ),
    always(MINISTACK, "Parts may be of any size.", &["multipart/part_too_small"]),
    always(
        MINISTACK,
        "Uploads of one key are not listed in the order of their start.",
        &["multipart/uploads_of_one_key"],
    ),
    always(
        MINISTACK,
        "The checksum of an upload is always composed of those of the parts.",
        &["multipart/right_checksum"],
    ),
    always(
        MINISTACK,
        "Signatures are verified in URLs and forms, and not in headers.",
        &["signed/wrong_secrets_are_refused"],
    ),
    always(
        S3S_FS,
        "A name cannot be that of an object and at once the beginning of another key: keys are paths.",
        &[
            "copy/below_itself",
            "delete_many/named_only",
            "keys/delete_above",
            "keys/delete_below",
            "keys/internal_looks",
            "keys/lookalikes_are_not_deleted",
            "keys/name_changes_sides",
            "keys/object_then_above",
            "keys/object_then_below",
            "keys/spaces",
            "list/delimiter",
            "list/delimiter_under_partial_prefix",
            "list/delimiter_under_prefix",
            "list/empty_delimiter",
            "list/everything",
            "list/foreign_token",
            "list/page_size",
            "list/page_size_huge",
            "list/partial_prefix",
            "list/prefix",
            "list/prefix_is_a_key",
            "list/prefix_of_nothing",
            "list/start_after_key",
            "list/start_after_missing",
            "list/start_after_the_ends",
            "list/start_after_under_prefix",
            "list/start_after_within_group",
            "list/token_is_reusable",
            "paging/last_of_page_deleted",
            "paging/written_meanwhile",
            "races/above_and_below",
        ],
    ),
    always(
        S3S_FS,
        "Keys that end with a slash are directories, and have no content.",
        &[
            "keys/directory_marker_with_content",
            "keys/trailing_slashes",
            "list/byte_order",
            "list/directory_marker",
            "paging/listings_in_turns",
            "paging/sizes_add_up",
            "paging/sizes_add_up_behind_a_start",
            "paging/sizes_add_up_with_any_delimiter",
        ],
    ),
    always(
        S3S_FS,
        "Slashes and dots in keys are those of paths: some keys are one, and some are refused.",
        &[
            "buckets/delete_with_objects",
            "buckets/similar_names",
            "keys/dots",
            "keys/lookalikes_are_absent",
            "keys/slashes",
            "keys/weird_copy",
            "keys/weird_delete_many",
            "keys/weird_groups",
            "keys/weird_list",
            "keys/weird_page_ends",
            "keys/weird_prefix",
            "keys/weird_start_after",
            "keys/weird_upload",
            "list/groups_of_slashes",
            "put_get/missing_object",
        ],
    ),
    always(S3S_FS, "Names of files have at most 255 bytes.", &["keys/longest", "list/deep"]),
    always(S3S_FS, "Names of files have no zero bytes.", &["keys/control_characters"]),
    always(
        S3S_FS,
        "Listings tell that their keys are encoded, and are not.",
        &["keys/quotes_and_markup", "keys/url_characters"],
    ),
    always(
        S3S_FS,
        "Only the first character of a delimiter counts.",
        &["list/delimiter_across_prefix", "list/long_delimiter"],
    ),
    always(
        S3S_FS,
        "Listings tell no ETags.",
        &["conditions_read/if_unchanged_since_any_answer", "list/entries_like_head"],
    ),
    always(
        S3S_FS,
        "The refusal of a range does not tell the size of the object.",
        &[
            "range/bytes_of_empty_object",
            "range/offset_behind_the_object",
            "range/ranges_of_one_byte",
            "range/start_behind_the_object",
        ],
    ),
    always(
        S3S_FS,
        "Suffixes that are longer than the object end in status 500.",
        &["range/suffix_longer_than_the_object", "range/suffix_of_empty_object"],
    ),
    always(
        S3S_FS,
        "Conditions of reads, and on the source of a copy, are ignored.",
        &[
            "conditions_read/condition_before_range",
            "conditions_read/if_match_other",
            "conditions_read/if_modified_since_itself",
            "conditions_read/if_none_match_same",
            "conditions_read/if_unmodified_since_before",
            "copy/source_not_modified",
        ],
    ),
    always(
        S3S_FS,
        "Uploads cannot be listed, which deleting a bucket with all that is in it needs.",
        &[
            "buckets/create_and_head",
            "buckets/create_race",
            "buckets/create_twice",
            "buckets/creation_time",
            "buckets/delete_and_create_anew",
            "buckets/delete_with_uploads",
            "buckets/foreign_token",
            "buckets/isolation",
            "buckets/list",
            "buckets/missing",
            "buckets/open_twice",
            "buckets/store_of_deleted_bucket",
            "keys/weird_multipart",
            "multipart/resumed",
            "multipart/uploads_are_no_keys",
            "multipart/uploads_listed",
            "multipart/uploads_of_one_key",
            "upload/leaves_no_parts",
        ],
    ),
    always(
        S3S_FS,
        "Buckets have no lifecycle.",
        &[
            "bucket_settings/idle_rule",
            "bucket_settings/no_rules",
            "bucket_settings/rules",
            "bucket_settings/rules_of_missing",
            "bucket_settings/rules_replaced",
        ],
    ),
    always(S3S_FS, "Buckets have no location.", &["bucket_settings/location"]),
    always(
        S3S_FS,
        "A missing bucket as the source of a copy is told as a missing key.",
        &["buckets/copy_across_from_nowhere"],
    ),
    always(
        S3S_FS,
        "Metadata is decoded when it is written, and not encoded when it is read.",
        &["attributes/spaces_in_values", "attributes/values_that_look_encoded"],
    ),
    always(S3S_FS, "Metadata has no limit.", &["attributes/metadata_limit"]),
    always(
        S3S_FS,
        "There are no storage classes.",
        &["update/move_to_storage_class", "update/put_to_storage_class"],
    ),
    always(
        S3S_FS,
        "Content with a wrong checksum is refused, and replaces the object all the same.",
        &["checksums/crc32c_wrong", "checksums/sha256_wrong"],
    ),
    always(
        S3S_FS,
        "Checksums of whole uploads are neither verified nor kept.",
        &["multipart/right_checksum", "multipart/wrong_checksum"],
    ),
    always(
        S3S_FS,
        "Parts are numbered from 1 on, without gaps.",
        &["multipart/gaps_in_numbers", "multipart/unnamed_parts"],
    ),
    always(
        S3S_FS,
        "The ETags that parts are named with are not compared.",
        &["multipart/part_of_another_upload", "multipart/stale_part"],
    ),
    always(
        S3S_FS,
        "Parts are listed without their ETags.",
        &["multipart/parts_listed", "multipart/replaced_part", "payload/lying_part"],
    ),
    always(
        S3S_FS,
        "An upload that is not known, also because a wrong list of parts has ended it, is answered as if \
         permissions were missing or it had no parts.",
        &[
            "multipart/abort",
            "multipart/abort_twice",
            "multipart/named_out_of_order",
            "multipart/unknown_after_complete",
            "multipart/upload_of_another_key",
        ],
    ),
    sometimes(
        S3S_FS,
        "Content and what is known of it are two files, which are not replaced in one step.",
        &["races/copies_during_overwrites", "races/last_put_wins"],
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_deviation_is_listed_once_with_a_sentence_and_exists() {
        let mut seen = BTreeSet::new();
        let cases: BTreeSet<&str> = polycloud_conformance::cases().map(|case| case.name).collect();
        for Deviation { part, reason, checks, .. } in DEVIATIONS.iter().chain(ec2::DEVIATIONS) {
            assert!(reason.ends_with('.') && !checks.is_empty(), "{reason}");
            for check in *checks {
                assert!(seen.insert((part, check)), "{part} {check}");
                let exists = !part.starts_with("servers/")
                    || check.starts_with("signed/")
                    || cases.contains(check);
                assert!(exists, "{check}");
            }
        }
    }
}
