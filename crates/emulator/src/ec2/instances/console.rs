//! `GetConsoleOutput`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::needed;
use crate::ec2::call::Call;
use crate::ec2::error::Result;
use crate::ec2::state::Region;
use crate::ec2::xml::Xml;

/// The output so far, with `Latest` and without.
pub(super) fn get_console_output(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let instance = needed(region, call)?;
    call.params.flag("Latest")?;
    call.dry_run()?;
    let output = instance.console.read();
    let mut xml = Xml::new();
    xml.text("instanceId", &instance.id).time("timestamp", call.now);
    if !output.is_empty() {
        xml.text("output", &STANDARD.encode(output));
    }
    Ok(xml)
}
