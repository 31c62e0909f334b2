//! One key as a register, and the question whether a history of it can have happened.

use std::collections::HashSet;
use std::fmt;

/// Stands for an ETag, in the order of [`Tags`](crate::history::Tags).
pub(crate) type Tag = u32;

/// The object that a key holds: who wrote it, and the ETag, if that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Held {
    pub(crate) id: u64,
    pub(crate) tag: Option<Tag>,
}

type State = Option<Held>;

/// When a change happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Always,
    Absent,
    Is(Tag),
}

impl When {
    fn holds(self, state: State) -> bool {
        match (self, state) {
            (Self::Always, _) | (Self::Absent, None) => true,
            (Self::Absent, Some(_)) | (Self::Is(_), None) => false,
            (Self::Is(tag), Some(held)) => held.tag.is_none_or(|found| found == tag),
        }
    }
}

/// What one operation did to a key, or saw of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Write {
        held: Held,
        when: When,
    },
    /// The metadata are replaced, the content stays.
    Touch {
        id: u64,
    },
    Delete {
        when: When,
    },
    SawAbsent,
    SawPresent,
    SawOther(Tag),
    Saw {
        id: Option<u64>,
        tag: Tag,
    },
    /// A copy has this ETag.
    SawCopied(Tag),
}

impl Action {
    /// The state behind it, if it is possible in this one. `plain` tells the ETag that a copy has.
    fn apply(self, state: State, plain: &dyn Fn(Tag) -> Tag) -> Option<State> {
        let unchanged = |possible: bool| possible.then_some(state);
        match self {
            Self::Write { held, when } => when.holds(state).then_some(Some(held)),
            Self::Touch { id } => {
                let held = state?;
                Some(Some(Held { id, tag: held.tag.map(plain) }))
            }
            Self::Delete { when } => when.holds(state).then_some(None),
            Self::SawAbsent => unchanged(state.is_none()),
            Self::SawPresent => unchanged(state.is_some()),
            Self::SawOther(tag) => unchanged(state.is_none_or(|held| held.tag != Some(tag))),
            Self::SawCopied(tag) => unchanged(
                state.is_some_and(|held| held.tag.is_none_or(|found| plain(found) == tag)),
            ),
            Self::Saw { id, tag } => unchanged(state.is_some_and(|held| {
                id.is_none_or(|id| id == held.id) && held.tag.is_none_or(|found| found == tag)
            })),
        }
    }
}

/// An action, and between which events it took place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) action: Action,
    pub(crate) from: u64,
    /// `u64::MAX`: any time later.
    pub(crate) to: u64,
    /// Whether it took place for sure.
    pub(crate) certain: bool,
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { action, from, to, certain } = self;
        let to = if *to == u64::MAX { "...".to_owned() } else { to.to_string() };
        let perhaps = if *certain { "" } else { " perhaps" };
        write!(f, "{from}-{to}{perhaps} {action:?}")
    }
}

/// Orders that are looked at before the question counts as not decided.
const MOST: usize = 400_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Possible,
    Impossible,
    Undecided,
}

/// Whether the steps can be put in an order that agrees with time and in which each makes sense, from a
/// key that holds nothing: the search of Wing and Gong, with the memory of Lowe.
pub(crate) fn verdict(steps: &[Step], plain: &dyn Fn(Tag) -> Tag) -> Verdict {
    assert!(steps.len() <= 128, "{} steps", steps.len());
    let all = steps.iter().enumerate().filter(|(_, step)| step.certain);
    let all = all.fold(0_u128, |set, (n, _)| set | 1 << n);
    let mut seen = HashSet::new();
    let mut open: Vec<(u128, State)> = vec![(0, None)];
    while let Some((done, state)) = open.pop() {
        if done & all == all {
            return Verdict::Possible;
        }
        if seen.len() > MOST {
            return Verdict::Undecided;
        }
        let is_done = |n: usize| done >> n & 1 == 1;
        let (mut latest, mut bound) = (0, u64::MAX);
        for (n, step) in steps.iter().enumerate() {
            if is_done(n) {
                latest = latest.max(step.from);
            } else if step.certain {
                bound = bound.min(step.to);
            }
        }
        for (n, step) in steps.iter().enumerate() {
            if is_done(n) || step.from > bound || step.to < latest {
                continue;
            }
            if let Some(next) = step.action.apply(state, plain) {
                let place = (done | 1 << n, next);
                if seen.insert(place) {
                    open.push(place);
                }
            }
        }
    }
    Verdict::Impossible
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(id: u64, from: u64, to: u64, certain: bool) -> Step {
        let held = Held { id, tag: Some(u32::try_from(id).unwrap()) };
        Step { action: Action::Write { held, when: When::Always }, from, to, certain }
    }

    fn create(id: u64, from: u64, to: u64) -> Step {
        let held = Held { id, tag: Some(u32::try_from(id).unwrap()) };
        Step { action: Action::Write { held, when: When::Absent }, from, to, certain: true }
    }

    fn saw(id: u64, from: u64, to: u64) -> Step {
        let action = Action::Saw { id: Some(id), tag: u32::try_from(id).unwrap() };
        Step { action, from, to, certain: true }
    }

    fn is(steps: &[Step]) -> Verdict {
        verdict(steps, &|tag| tag)
    }

    #[test]
    fn what_can_have_happened() {
        assert_eq!(is(&[]), Verdict::Possible);
        assert_eq!(is(&[write(1, 0, 1, true), saw(1, 2, 3)]), Verdict::Possible);
        // At the same time, either is the last.
        let both = [write(1, 0, 3, true), write(2, 1, 2, true)];
        assert_eq!(is(&[both[0], both[1], saw(1, 4, 5)]), Verdict::Possible);
        assert_eq!(is(&[both[0], both[1], saw(2, 4, 5)]), Verdict::Possible);
        // What may have happened happens later.
        let lost = [write(1, 0, u64::MAX, false), write(2, 1, 2, true)];
        assert_eq!(is(&[lost[0], lost[1], saw(2, 3, 4), saw(1, 5, 6)]), Verdict::Possible);
    }

    #[test]
    fn what_cannot_have_happened() {
        // A write that was acknowledged is gone, or comes back.
        let two = [write(1, 0, 1, true), write(2, 2, 3, true)];
        assert_eq!(is(&[two[0], two[1], saw(1, 4, 5)]), Verdict::Impossible);
        let lost = [write(1, 0, u64::MAX, false), write(2, 1, 2, true)];
        let seen = [saw(1, 3, 4), saw(2, 5, 6)];
        assert_eq!(is(&[lost[0], lost[1], seen[0], seen[1]]), Verdict::Impossible);
        // Two created the same.
        assert_eq!(is(&[create(1, 0, 3), create(2, 1, 2)]), Verdict::Impossible);
        // It was refused because of an object that was not there.
        let refused = Step { action: Action::SawPresent, from: 0, to: 1, certain: true };
        assert_eq!(is(&[refused, create(1, 2, 3)]), Verdict::Impossible);
        assert_eq!(is(&[refused, create(1, 0, 3)]), Verdict::Possible);
        // One that applies only until its end cannot apply behind it.
        assert_eq!(is(&[write(1, 0, 1, false), two[1], saw(1, 4, 5)]), Verdict::Impossible);
    }
}
