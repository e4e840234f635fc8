from k8s.messages import redacted


def test_others_words_in_our_sentences_are_no_code() -> None:
    assert redacted("no `weight`\nin `rules`") == "no 'weight' in 'rules'"
