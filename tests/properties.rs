//! The fuzz targets as property tests, for those who have stable Rust only.

use proptest::prelude::*;
use sporenet_tests::fuzz_targets;

fn bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..max)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn frames_and_lengths_keep_their_promises(input in bytes(600)) {
        fuzz_targets::frame(&input);
    }

    #[test]
    fn frames_of_small_lengths_keep_their_promises(
        input in proptest::collection::vec(0_u8..4, 0..600),
    ) {
        fuzz_targets::frame(&input);
    }

    #[test]
    fn a_responder_gives_strangers_little(input in bytes(600)) {
        fuzz_targets::hello(&input);
    }

    #[test]
    fn a_damaged_journal_invents_nothing(input in bytes(400)) {
        fuzz_targets::journal(&input);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_lying_replica_makes_nothing_appear_that_nobody_signed(input in bytes(600)) {
        fuzz_targets::batch(&input);
    }

    #[test]
    fn a_damaged_or_forged_recording_does_no_harm(input in bytes(60)) {
        fuzz_targets::recording(&input);
    }

    #[test]
    fn two_sessions_survive_a_liar_between_them(input in bytes(400)) {
        fuzz_targets::session(&input);
    }
}
