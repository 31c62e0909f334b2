use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use crate::object::Payload;

/// Chunks below this size are copied together: a rope of tiny chunks costs more than the copy, and a
/// small slice may keep a large buffer alive.
const SMALL: usize = 16 << 10;

/// Where small chunks are copied together.
const BLOCK: usize = 64 << 10;

/// Content that waits to become a part.
#[derive(Debug, Default)]
pub(super) struct PartBuffer {
    chunks: VecDeque<Bytes>,
    /// Small chunks behind `chunks`.
    small: BytesMut,
    len: u64,
}

impl PartBuffer {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn push(&mut self, chunk: Bytes) {
        self.len += chunk.len() as u64;
        if chunk.len() >= SMALL {
            self.seal();
            self.chunks.push_back(chunk);
            return;
        }
        if self.small.len() + chunk.len() > BLOCK {
            self.seal();
        }
        if self.small.capacity() == 0 {
            self.small.reserve(BLOCK);
        }
        self.small.extend_from_slice(&chunk);
    }

    /// Takes the first `size` bytes, or all if there are fewer.
    pub(super) fn take(&mut self, size: u64) -> Payload {
        self.seal();
        let (mut taken, mut left) = (Vec::new(), size.min(self.len));
        self.len -= left;
        while left > 0 {
            let Some(mut chunk) = self.chunks.pop_front() else { break };
            if chunk.len() as u64 > left {
                let rest = chunk.split_off(usize::try_from(left).unwrap_or(usize::MAX));
                self.chunks.push_front(rest);
            }
            left -= chunk.len() as u64;
            taken.push(chunk);
        }
        Payload::from_chunks(taken)
    }

    fn seal(&mut self) {
        if !self.small.is_empty() {
            self.chunks.push_back(std::mem::take(&mut self.small).freeze());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(payload: &Payload) -> Vec<u8> {
        payload.chunks().unwrap().concat()
    }

    #[test]
    fn large_chunks_are_not_copied_and_small_ones_are_joined() {
        let large = Bytes::from(vec![1; SMALL]);
        let mut buffer = PartBuffer::default();
        buffer.push(large.clone());
        (0..1_000).for_each(|_| buffer.push(Bytes::from_static(b"x")));
        buffer.push(large.clone());
        let payload = buffer.take(u64::MAX);
        let chunks = payload.chunks().unwrap();
        assert_eq!(chunks.len(), 3);
        assert_eq!(chunks[0].as_ptr(), large.as_ptr());
        assert_eq!(chunks[1].len(), 1_000);
    }

    proptest! {
        #[test]
        fn parts_join_to_what_was_pushed(
            pushes in proptest::collection::vec(0_usize..40_000, 0..20),
            size in 1_u64..50_000,
        ) {
            let (mut buffer, mut pushed, mut taken) = (PartBuffer::default(), Vec::new(), Vec::new());
            for (n, len) in pushes.into_iter().enumerate() {
                let chunk = vec![u8::try_from(n).unwrap(); len];
                pushed.extend_from_slice(&chunk);
                buffer.push(chunk.into());
                while buffer.len() >= size {
                    let part = buffer.take(size);
                    prop_assert_eq!(part.len(), size);
                    taken.extend(all(&part));
                }
            }
            let rest = buffer.take(size);
            prop_assert!(rest.len() < size);
            taken.extend(all(&rest));
            prop_assert_eq!(buffer.len(), 0);
            prop_assert_eq!(taken, pushed);
        }
    }
}
