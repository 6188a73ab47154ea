#!/usr/bin/env bash
# From a fresh machine (Python 3.11 to 3.13 with pip and venv) to a trained translator: installs into .venv, trains on the
# embedded corpus, scores it and translates a few sentences. Can be run again: what is done is not done twice.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/environment.sh
source scripts/environment.sh
environment

run_dir=runs/toy
if [ -f "$run_dir/model/config.json" ]; then
    echo "== $run_dir holds a finished translator already; remove the folder to train it again"
elif [ -d "$run_dir/checkpoints/last" ] || [ -d "$run_dir/checkpoints/previous" ]; then
    echo "== going on with the training in $run_dir"
    .venv/bin/nmt train run_dir="$run_dir" resume=true
else
    echo "== training on the embedded corpus: a few minutes"
    rm -rf "$run_dir" # of a run that was cut off before its first checkpoint
    .venv/bin/nmt train run_dir="$run_dir"
fi

echo
echo "== scores on the test set, whose combinations training never shows"
.venv/bin/nmt evaluate "$run_dir/model" data=toy split=test >"$run_dir/test-scores.json"

echo
echo "== a few translations"
sentences=(
    "Two old black dogs were sleeping in the big white house."
    "She does not have the good apple that he eats."
    "Why does the sad mother lose this bird?"
    "The man that you waited for is going to read a beautiful story."
)
printf '%s\n' "${sentences[@]}" | .venv/bin/nmt translate "$run_dir/model" |
    paste -d '\t' <(printf '%s\n' "${sentences[@]}") - | sed 's/\t/\n    /'

cat <<END

== what next
    .venv/bin/nmt translate $run_dir/model                # type sentences of your own
    .venv/bin/nmt train data=parallel data.path=DIR data.source=en data.target=fr run_dir=runs/mine
                                                       # your own corpus: train.en, train.fr, val.en, val.fr in DIR
    .venv/bin/nmt train --help                            # all settings
END
