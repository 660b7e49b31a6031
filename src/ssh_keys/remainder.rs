//! What is left of one number divided by another: RSA keys of OpenSSH and PuTTY leave out two numbers that PEM has, and
//! those are remainders. Called by the writer of RSA keys. Its time depends on the numbers' lengths and values, so it is
//! done once for each key, on nobody's request in particular.

use crate::secrets::Secret;

/// `number` modulo `divisor`, both without sign, most significant byte first. Nothing when the divisor is nothing.
pub(super) fn remainder(number: &[u8], divisor: &[u8]) -> Option<Secret<Vec<u8>>> {
    if divisor.iter().all(|byte| *byte == 0) {
        return None;
    }
    // One byte more than the divisor: it is doubled before it is compared.
    let mut rest = vec![0_u8; divisor.len() + 1];
    for byte in number {
        for place in (0..8).rev() {
            let mut carry = (byte >> place) & 1;
            for digit in rest.iter_mut().rev() {
                (*digit, carry) = ((*digit << 1) | carry, *digit >> 7);
            }
            if rest[0] != 0 || rest[1..] >= *divisor {
                subtract(&mut rest, divisor);
            }
        }
    }
    Some(Secret::new(rest))
}

/// Takes the smaller from the larger, which has at least as many digits.
fn subtract(from: &mut [u8], what: &[u8]) {
    let mut borrowed = false;
    let digits = what.iter().rev().copied().chain(std::iter::repeat(0));
    for (digit, less) in from.iter_mut().rev().zip(digits) {
        let (once, first) = digit.overflowing_sub(less);
        let (twice, second) = once.overflowing_sub(u8::from(borrowed));
        (*digit, borrowed) = (twice, first || second);
    }
}

/// One less. Nothing comes of nothing.
pub(super) fn one_less(number: &[u8]) -> Secret<Vec<u8>> {
    let mut less = number.to_vec();
    if less.iter().any(|byte| *byte != 0) {
        subtract(&mut less, &[1]);
    }
    Secret::new(less)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_what_the_processor_says(number: u128, divisor in 1_u128..) {
            let found = remainder(&number.to_be_bytes(), &divisor.to_be_bytes()).expect("no division by nothing");
            let found = found.expose().iter().fold(0_u128, |sum, byte| (sum << 8) | u128::from(*byte));
            prop_assert_eq!(found, number % divisor);
        }

        #[test]
        fn one_less_is_one_less(number in 1_u128..) {
            let less = one_less(&number.to_be_bytes());
            prop_assert_eq!(less.expose(), &(number - 1).to_be_bytes().to_vec());
        }
    }

    #[test]
    fn nothing_divides_by_nothing() {
        assert!(remainder(&[5], &[0, 0]).is_none());
        assert!(remainder(&[5], &[]).is_none());
    }
}
