//! Where moto does not do what Amazon EC2 does.

use super::{Deviation, always, sometimes};

const MOTO: &str = "servers/moto-ec2";

pub(crate) const DEVIATIONS: &[Deviation] = &[
    always(
        MOTO,
        "Client tokens are ignored: creates with one token that are under way at once make one instance each.",
        &["token/concurrent"],
    ),
    always(
        MOTO,
        "Of a number between two, the smaller is launched, whatever there is room for.",
        &["many/shortfall"],
    ),
    sometimes(
        MOTO,
        "A listing is lost when what its page ended with no longer passes the filter, as the instances of \
         other cases do at any time.",
        &[
            "list/by_everything",
            "list/changes_meanwhile",
            "list/pages_of_any_size",
            "list/pages_of_one",
            "list/pages_of_two",
            "list/pages_of_zero",
            "list/token_as_text",
        ],
    ),
    always(
        MOTO,
        "Instances that are stopped can be rebooted.",
        &["state/any_order_of_requests", "state/restart_while_stopped"],
    ),
    always(
        MOTO,
        "Instances that are terminated can be started, stopped and rebooted.",
        &["state/terminated_is_final", "state/terminating_is_final"],
    ),
    always(
        MOTO,
        "Signatures are verified over the form as botocore would have written it, with a plus for a space; \
         the AWS SDK for Rust writes `%20`, as Amazon's documents ask for.",
        &["address/ingress", "facet/firewall", "facet/firewall_name_is_taken"],
    ),
    always(
        MOTO,
        "User data is not run, and the console always shows the same text.",
        &[
            "console/behind_the_end",
            "console/follows",
            "console/positions",
            "data/failed_script",
            "data/script_is_not_changed",
            "data/script_runs",
            "data/script_runs_once",
            "image/of_an_instance",
        ],
    ),
    always(
        MOTO,
        "Tags for the snapshots of a new image end in status 500.",
        &["image/deleted", "image/name_is_taken", "image/outlives_the_instance"],
    ),
    always(MOTO, "The quotas of EC2 end in status 500.", &["location/quotas"]),
    always(
        MOTO,
        "Detaching a volume without naming its instance ends in status 500.",
        &["facet/snapshot"],
    ),
    always(
        MOTO,
        "A volume can be attached twice, and deleted while it is attached.",
        &["facet/attached_volume"],
    ),
];
