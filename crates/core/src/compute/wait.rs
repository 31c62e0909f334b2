/// How to wait.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct WaitOptions {}
