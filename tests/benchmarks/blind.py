"""How many faces are whole, counted blind: shuffled pages of images, and a tally of the answers.

``python tests/benchmarks/blind.py pages OUT box=pretrained@0.6 hour=SNAPSHOT real=HOLDOUT`` draws
the first 64 seeds of each snapshot (with ``@0.6`` as ``--truncation 0.6`` does; of a folder it
takes as many images, evenly spaced), and lays all of them out in three random orders, 16 numbered
images a page, as ``OUT/0``, ``OUT/1``, ``OUT/2``. Whoever counts gets one of those folders and
writes ``OUT/answers-0.txt``: ``017 1`` for a whole face, ``018 0 eye missing`` for another.
``python tests/benchmarks/blind.py tally OUT`` then prints how many of each are whole, by each and
by most of those who counted, and what they missed.

The question: would a person call this a face with two eyes, hair and a mouth, the eyes being a pair
and in place? Closed eyes and a wink count, and an eye partly covered by hair if one sees that it is
there; a mouth may be a line or a dot. An eye that is missing, a smear, out of place or unlike the
other does not pass, nor does a face without a mouth, or a melted one. Style, blur and colour do not
matter.

Those who counted were instances of a language model that sees images, three to a round. They
differed by up to 6 of 64 and 14 of 128. Pages of rounds 1 to 4 were laid out alike by a forerunner
of this script, those of round 3 from grids kept as WebP with losses. Whole by most of them, of the
first 64 seeds where nothing else is said:

| round | whole | of |
| --- | --- | --- |
| 1 | 62 | real faces, held out |
| 1 | 48 | the box |
| 1 | 44 | ``modern-gpu`` at 464 kimg |
| 1 | 30 | ``modern`` after an hour on two cores, 154 kimg |
| 2 | 61 | other real faces |
| 2 | 46 | the box |
| 2 | 48, 46 | the box, 300 and 450 kimg further in batches of 128 and 256 |
| 2 | 49 | the box, 250 kimg further, D's images twice as large |
| 2 | 47 | the box, 16 kimg further with ``typical`` 2 (one more of the same seeds, none less) |
| 2 | 27 | ``modern`` at 162 kimg, the hour's run 8 kimg further |
| 2 | 32 | its copy with ``typical`` 3.5 for these 8 kimg |
| 3 | 31 of 32 | other real faces |
| 3 | 34 | ``modern`` at 154 kimg, trained on an H100, and so all of this round: |
| 3 | 37 | heads of D 128 channels wide |
| 3 | 37 | G half as wide again |
| 3 | 37 | the 80 % most typical faces alone |
| 3 | 33 | G with a second convolution at 48 px |
| 3 | 31 | attention in G |
| 4 | 150 of 192 | the box, seeds 64 to 255 |
| 4 | 154 of 192 | the box, 250 kimg further, D's images twice as large |
| 4 | 156 of 192 | the mean of the weights of the box's three further runs of round 2 |
| 4 | 75 of 128 | ``modern`` at 162 kimg, seeds 64 to 191 |
| 4 | **89 of 128** | its copy with ``typical`` 3.5 for the last 8 kimg |
| 5 | 56 | other real faces |
| 5 | 33 | ``modern`` at 100 kimg |
| 5 | 29 | ``modern`` at 154 kimg, again |
| 5 | **44** | what ``rank --top-k 64`` keeps of 512 of it |
| 5 | **58** | what it keeps of 512 of the box |
| 6 | 75 of 128 | ``modern`` at 162 kimg, seeds 0 to 127 |
| 6 | 76 of 128 | its copy with ``typical`` 3.5 for the last 8 kimg |
| 6 | 85 of 128 | another, with ``typical`` 7 |
| 7 | 53 | real faces of round 1 |
| 7 | 18, 23 | ``modern`` with ``d_mixed`` at 100 and 182 kimg |
| 7 | **25** | at 100 kimg, the heads of D without mixtures from 77 kimg on |
| 8 | 60 | real faces of round 1 |
| 8 | 20 | ``modern`` with ``d_mixed`` at 110 kimg |
| 8 | **26** | ``modern`` without, at 110 kimg, 15 minutes on two cores |
| 8 | 42, 37 | the box of before, and 40 kimg further without mixtures |
| 9 | 88, 90 of 128 | the box of before, and 64 kimg further without; seeds 64 to 191 |
| 10 | 60 | real faces of round 1 |
| 10 | 21 | ``modern`` without, at 178 kimg, 30 minutes on two cores |
| 10 | 47 | what ``rank --top-k 64`` keeps of 512 of the box |
| 11 | 29 | ``modern`` without, at 200 kimg |
| 11 | 31 | its copy with ``typical`` 3.5 for the last 8 kimg |
| 12 | 62 | real faces of round 1 |
| 12 | 30 | ``modern`` at 110 kimg, 15 minutes on two cores: the images of round 8 |
| 12 | 24 | heads of D that know places, from the start, at 104 kimg, after as long |
| 12 | **36** | ``modern`` at 312 kimg, an hour on two cores |
| 13 | 92 of 96 | real faces |
| 13 | 56, 56 of 96 | the box, and 40 kimg further with heads that know places; seeds 192 to 287 |
| 14 | 61 | real faces of round 1 |
| 14 | 34 | ``modern`` at 110 kimg, 15 minutes on two cores: the images of rounds 8 and 12 |
| 14 | 30 | ``modern`` with ``g_styled`` at 102 kimg, after as long |
| 15 | 61 | real faces of round 1 |
| 15 | 27 | ``modern`` at 178 kimg, 30 minutes on two cores: the images of round 10 |
| 15 | 19 | ``modern`` with ``g_styled`` at 172 kimg, after as long |
| 16 | 62 | real faces of round 1 |
| 16 | 25 | ``modern`` at 178 kimg, the images of rounds 10 and 15 |
| 16 | 22 | ``modern`` with ``g_styled`` at 180 kimg, with ``typical`` 3.5 for the last 8 kimg |
| 17 | 60 | real faces of round 1 |
| 17 | 16 | ``modern`` as it was, without ``paired``, at 54 kimg, 5 minutes on two cores |
| 17 | 28, 28 | drawn from normal noise, half of a batch paired, at 52 kimg; with styles |
| 17 | **35** | drawn from codes of real images that it learnt from, no styles |
| 18 | 32 | drawn from normal noise, no styles, at 52 kimg; seeds 64 to 127 |
| 18 | **40** | drawn from a mixture fitted to codes, the same snapshot |
| 18 | **40** | drawn from codes of real images, the same snapshot |
| 19 | 61 | real faces of round 1 |
| 19 | 33 | ``modern`` as it was, at 110 kimg, 15 minutes: the images of rounds 8, 12 and 14 |
| 19 | 33 | ``paired``, from a mixture, no styles, at 104 kimg: 20 of 91 faults no mouth |
| 19 | **40** | ``paired``, from a mixture, styles, at 104 kimg: 23 of 74 faults no mouth |
| 20 | 63 of 96 | that run at 126 kimg |
| 20 | 57 of 96 | its copy, paired in the deeper two taps and colours alone from 104 to 116 kimg |
| 21 | 60 | real faces of round 1 |
| 21 | 31, 31 | ``modern`` as it was, at 110 and 178 kimg, 15 and 30 minutes on two cores |
| 21 | **39**, 38 | ``modern`` with ``paired``, at 100 and, another run, 168 kimg, after as long |
| 22 | 66 of 96 | that run at 168 kimg; seeds 64 to 159 |
| 22 | 70, 72 of 96 | the same, codes 0.85 and 0.7 times as far from the means of clusters |
| 23 | 61 | real faces of round 1 |
| 23 | 35 | ``modern`` with ``paired``, at 100 kimg, 15 minutes: the images of round 21 |
| 23 | **42** | ``modern`` with ``paired``, at 292 kimg, an hour on two cores |
| 24 | 61 | real faces of round 1 |
| 24 | 34 | ``paired``, no focus, at 100 kimg: the images of rounds 21 and 23 |
| 24 | 31 | its copy at 132 kimg, ``paired`` 0.1 from 100 kimg on |
| 24 | 33 | another, 0.1 too, and every other step of the middle alone, 2.25 times as large |
| 25 | 60 | real faces of round 1 |
| 25 | 38, 39 | ``paired``, no focus, at 50 and 100 kimg, 5 and 15 minutes on two cores |
| 25 | **41** | with ``paired_focus``, at 50 kimg, after as long |
| 26 | 61 | real faces of round 1 |
| 26 | 37 | ``paired``, no focus, at 100 kimg: the images of rounds 21 and 23 to 25 |
| 26 | 39 | the same with ``--truncation 0.7`` |
| 26 | 37 | its copy at 116 kimg, ``paired`` 4 from 100 kimg on |
| 26 | 36 | another, ``paired`` 0.1, and heads of D that know places from 100 kimg on |
| 27 | 60 | real faces of round 1 |
| 27 | 36 | ``paired``, no focus, at 100 kimg, the same images: 28 of 83 faults no mouth |
| 27 | **43** | with ``paired_focus``, at 102 kimg, 15 minutes: 27 of 66 faults no mouth |
| 27 | 48 | ``paired``, no focus, at 292 kimg, an hour: the images of round 23, 19 of 51 faults |
| 28 | 61 | real faces of round 1 |
| 28 | **40** | with ``paired_focus``, at 50 kimg, 5 minutes: the images of round 25 |
| 28 | 36 | the same, and a third of a code is of the middle at twice the resolution |
| 28 | 43 | the box, 2,586 kimg |
| 29 | 61 | real faces of round 1 |
| 29 | 39 | with ``paired_focus``, at 102 kimg, 15 minutes: the images of round 27 |
| 29 | 40 | with ``paired_focus``, at 168 kimg, 30 minutes on two cores: 26 of 67 faults no mouth |
| 29 | 37 | that run at 118 kimg, G told by heads that see broken faces (``quality.py``) |
| 30 | 60 | real faces of round 1 |
| 30 | **43** | with ``paired_focus``, at 102 kimg, 15 minutes: the images of rounds 27 and 29 |
| 30 | **45** | with ``paired_focus``, at 168 kimg, 30 minutes: the images of round 29 |
| 30 | 38 | that run at 118 kimg, colours compared over 4 and 2 pixels too from 102 kimg on |
| 31 | 60 | real faces of round 1 |
| 31 | 36 | the box before codes, 2,586 kimg: the images of round 28 |
| 31 | **43**, 44 | the same, 12 (the box after that) and 40 kimg further with ``paired_focus`` |
| 32 | 59 | real faces of round 1 |
| 32 | **45** | with ``paired_focus``, at 302 kimg, an hour on two cores |
| 32 | 44 | ``paired``, no focus, at 292 kimg, an hour: the images of rounds 23 and 27 |
| 32 | **55** | what ``rank --top-k 64`` keeps of 512 of the box, 2,598 kimg |
| 33 | 61 | real faces of round 1 |
| 33 | 46 | with ``paired_focus``, at 302 kimg, an hour: the images of round 32 |
| 33 | 43 | ``modern`` without ``paired``, at 312 kimg, and 12 further with ``paired_focus`` |
| 34 | 61 | real faces of round 1 |
| 34 | 43, 42 | without ``d_conditional``, at 50 and 102 kimg: 30 of 65 faults then no mouth |
| 34 | 42 | ``modern`` as it is, at 48 kimg, 5 minutes on two cores |
| 34 | 37, **46** | another run, at 50 and 102 kimg, 15 minutes: 22 of its 54 faults then no mouth |
| 35 | 60 | real faces of round 1 |
| 35 | **42**, **43** | ``modern`` as it is, at 100 kimg, 15 minutes, and the images of round 34 |
| 35 | 39 | a copy of the second at 118 kimg, ``paired`` 0.1 from 102 kimg on |
| 35 | 51, 48 | the box, and 12 kimg further by the recipe as it is |
| 36 | 62 of 96 | without ``d_conditional``, at 102 kimg, seeds 64 to 159: 30 of 111 no mouth |
| 36 | **66**, **65** of 96 | ``modern``, the two runs of round 35: 15 of 92, 16 of 93 |
| 37 | 61 | real faces of round 1 |
| 37 | 43 | without ``d_conditional``, at 168 kimg, 30 minutes: the images of rounds 29 and 30 |
| 37 | **46** | ``modern`` at 162 kimg, 30 minutes on two cores: 15 of 63 faults eyes unlike |
| 37 | 39 | the other run at 118 kimg, real images with others' codes as fakes from 102 on |
| 38 | 61 | real faces of round 1 |
| 38 | 41 | without ``d_conditional``, at 302 kimg, an hour: the images of rounds 32 and 33 |
| 38 | **48** | ``modern`` at 284 kimg, an hour on two cores |
| 39 | 60 | real faces of round 1 |
| 39 | 50, 54, **58** | ``modern`` at 284 kimg, and with ``--truncation`` 0.7 and 0.4 |
| 39 | 49 | the same, from codes of 64 of the faces that it learnt from |
| 40 | 61 | real faces of round 1 |
| 40 | 51, 51 | ``modern`` at 284 kimg, and 6 further with ``typical`` 3.5 |
| 40 | 52, 53 | the second with ``--truncation`` 0.85 and 0.7 |
| 40 | 52 | the first, the last 40 directions of a cluster alone 0.4 times as far |
| 41 | 61 | real faces of round 1 |
| 41 | 50 | ``modern`` at 284 kimg |
| 41 | 43, 55, 50 | the same, from the codes of the half, quarter, tenth most typical of its faces |
| 41 | 56 | from those of the quarter with ``--truncation`` 0.85 |
| 42 | 100 of 128 | ``modern`` at 284 kimg, seeds 0 to 127: 30 of 99 no mouth |
| 42 | **116** of 128 | the same with ``--truncation`` 0.62 (58 and 58 of 64): 13 of 36 no mouth |
| 42 | 120 of 128 | the same with ``--truncation`` 0.4 (60 and 60 of 64) |
| 43 | 94 of 96 | real faces |
| 43 | 60 of 96 | ``modern`` at 100 kimg, 15 minutes on two cores |
| 43 | 58, 69 of 96 | heads of D that compare places, at 94, and with ``--truncation`` 0.62 |
| 44 | 58 | real faces of round 1 |
| 44 | 49, 54, **56** | ``modern`` at 284 kimg, and with ``--truncation`` 0.65 and 0.6 |
| 44 | 51, **59** | what ``rank --top-k 64`` keeps of 512 of it, and with ``--truncation`` 0.6 |
| 45 | 59 | real faces of round 1 |
| 45 | 46, 44 | the box of before, 2,598 kimg, and with ``--truncation`` 0.6 |
| 45 | **56** | ``modern`` at 284 kimg, now the box, with ``--truncation`` 0.6: as in round 44 |
| 46 | 60 | real faces of round 1 |
| 46 | 38 | ``modern`` at 100 kimg, 15 minutes on two cores: the images of round 35 |
| 46 | 35, **48**, 48 | with ``--truncation`` 0.6, at 48, 100, 162 kimg: 5, 15, 30 minutes |
| 46 | **56** | the same of the box: the images of round 45 |
| 47 | 60 | real faces of round 1 |
| 47 | 44 | ``modern`` at 214 kimg, trained on an H200, and so all of this round: |
| 47 | 49 | D learns in every other step, at 224 kimg |
| 47 | 51, 46 | G of width 64, at 210, and of that but at most 256 channels, at 214 kimg |
| 47 | 49 | G of 512 channels at 6 pixels and 256 at 12, at 210 kimg |
| 47 | 49 | G of width 64, at most 256 channels, D in every other step, at 224 kimg |
| 48 | 60 | real faces of round 1 |
| 48 | 55, 58 | the first two of round 47 with ``--truncation`` 0.6 |
| 48 | 55, 57 | those of width 64 and of the last row of round 47 with 0.6 |
| 48 | 54 | the box with 0.6: the images of rounds 45 and 46 |
| 48 | 48, 54 | 8 kimg further, D's images 2.25 times as large, and that with 0.6 |
| 49 | 60 | real faces of round 1 |
| 49 | 41, 49 | ``modern`` at 100 kimg, 15 minutes: the images of round 46, and with 0.6 |
| 49 | 39, 45 | D learns in every other step, at 106 kimg, 15 minutes, and with 0.6 |
| 49 | 36 | that run at 50 kimg, 5 minutes, with 0.6 |
| 50 | 60 | real faces of round 1 |
| 50 | 57, 57 | the last of round 47 with ``--truncation`` 0.55 (distance 129) and 0.5 (143) |
| 50 | 56 | the box with 0.6: the images of rounds 45, 46 and 48 |
| 50 | 54 | 24 kimg further in batches of 64, D's images 2.25 times as large, with 0.6 |
| 51 | 60 | real faces of round 1 |
| 51 | 57, 57 | the hour's run that is in the box with 0.6 and 0.5 |
| 51 | 44 | ``modern`` at 100 kimg, 15 minutes, with 0.6: the images of round 49 |
| 51 | 47, 48 | G wider from 40 kimg on, at 86 and 132 kimg, 15 and 30 minutes, with 0.6 |
| 51 | 41 | that at 132 kimg with 1 |
| 51 | 51, 57, 58 | the hour's run, wider from 284 kimg on, at 380, with 1, 0.6, 0.5 |
| 52 | 60 | real faces of round 1 |
| 52 | 53 | the hour's run with 0.6: the images of round 51 |
| 52 | 42, 51, 51 | G wider from 40 kimg on, at 226 kimg, an hour, with 1, 0.6 and 0.55 |
| 52 | 39, 43 | G wider from 78 kimg on, at 94 and 142 kimg, 15 and 30 minutes, with 0.6 |
| 53 | 59 | real faces of round 1 |
| 53 | 52 | the hour's run with 0.6: the images of round 51 |
| 53 | **58**, 58 | the hour's snapshot, wider, an hour more of two cores, with 0.6 and 0.5 |
| 54 | 60 | real faces of round 1 |
| 54 | 57, **59** | the hour's run, and an hour more, with 0.6: the images of round 53 |
| 54 | **57**, 57, 49 | 48 minutes more: the box from there on, with 0.6, 0.5 and 1 |
| 54 | 59 | what ``rank --top-k 64`` keeps of 512 of that |
| 55 | 59 | real faces of round 1 |
| 55 | 58 | the hour's run with 0.6: the images of round 51 |
| 55 | 54, 56 | each drawn again from the code of what was drawn, and from halfway there, with 0.6 |
| 55 | 55, 56 | from halfway with 0.5, and from the code itself with 0.4 |
| 56 | 120 of 128 | real faces |
| 56 | **109** of 128 | the hour's run with 0.6: 57 of the first 64 |
| 56 | 101 of 128 | batches of 64, D in every other step from 100 kimg on, at 284, with 0.6 |

Not counted, since worse by eye: the hour's run with 0.6 and the other half of its noise 0.4 and 0
times as long: colours bleed, and skin gets flecks.

What is drawn has another code than it was drawn from: that of what is drawn with 0.6 is 1.35 times
as long. From that code, with the same noise, the hour's run draws crisper and more varied images,
by code that is not kept: their distance is 99 with 0.6 and 133 with 0.4 (108 from halfway, 127 as
they are), and 78 with 1, precision 0.794 and recall 0.435 (81, 0.848 and 0.335 as they are).
Again it is variety for whole faces, at the price that ``--truncation`` has (54 with 0.7, 107).

What is drawn from snapshots is drawn with ``--truncation 1`` where nothing else is said. The box is
what was in it at that time. Round 43 is of seeds 0 to 95; in 42, 52 of the first 64 and 48 of the
last 64 are whole with ``--truncation 1``.

All of rounds 1 to 6 is of heads of D that see mixtures. From round 8 on the question said that a
mouth hidden behind an object counts; readers of round 7 differed in that, and were stricter in all.

What shows: ranking by typicality makes faces whole. Training for it does in two of three counts
(round 6 counts seeds of rounds 2 and 4 again): by 3.5, 21 of the 192 seeds of rounds 2 and 4 became
whole and 2 no longer were, and of the 128 of round 6, 8 and 7; by 7, 14 and 4. From 100 kimg on
distance falls, and few more faces are whole. None of the variants of round 3 stands out, where
chance alone is 4 of 64. The mean of three runs has the least distance too (by ``animegan evaluate``
64.8; the box 66.4, two of the three 65.1 and 65.6), by too little to say. Seeds that changed, that
mean and what follows were counted and made by hand, and not by this script.

How well a score tells whole faces of one network from the rest (area under the curve, 0.5 is
chance): typicality 0.54 to 0.65 (eight networks, mean 0.61), D's logit 0.36 to 0.64 (0.48), how
much the image changes with the noise (Tanielian et al. 2020, arXiv 2006.04596) 0.44 to 0.61 in
pixels (seven, 0.50) and 0.48 to 0.54 on average in D's features. Gaussians that know places, of the
three networks of round 1: of tap 2 at 3 x 3 places 0.63, at each place (after Defard et al. 2020,
arXiv 2011.08785) 0.54 to 0.62, principal components of whole maps 0.53 to 0.60; typicality is 0.61
there. None is better by more than chance.

What was taught to tell real faces from such with a part replaced (``parts.py``) is better: of seven
networks of rounds 24 to 26, as far as they were counted by then, typicality 0.50 to 0.69 (0.61),
D's logit 0.40 to 0.64 (0.52); heads 128 channels wide that see the frozen features at places, after
6,000 pairs 0.58 to 0.75 (0.65), the two of coarser scales 0.62 to 0.78 (0.67), after 9,200 0.66;
with typicality 0.67. The frozen network taught as well, after 2,000 pairs, 0.65 to 0.86 (0.71 by
the coarser two); where half of the parts were blurred or bent instead of replaced, 0.63.

What was taught on answers themselves tells whole faces best (by code that is not kept): the last
ten blocks of EfficientNet-Lite0 at 160 pixels, on 5,019 of the 5,723 images of rounds 1 to 41, in
0.97 of pairs of the other 704, those of rounds 39 to 41 (some of them drawn from the same seeds as
others that it learnt from). Its mean probability over 1,000 images, to be compared with one another
only, beside their distance (drawn in bfloat16, so 79 is 81 in float32): ``modern`` after an hour
0.695 (79), with ``--truncation`` 0.8 0.772 (94), 0.6 0.824 (131), 0.4 0.854 (189); in normal
distributions cut off at 1.5 or 1 deviations instead, 0.789 (101) and 0.840 (146); 6 kimg further
with ``typical`` 3.5 0.725 (84), then 0.794 (104) with 0.8; from the codes of the most typical half
of its faces 0.726 (88), then 0.802 (112); of the quarter 0.767 (99), then 0.833 (129); the first 24
directions of a cluster at 0.5 and the rest at 0.8 0.820 (129), the first 8 at 1 and the rest at 0.5
0.793 (127). By it, all of these give variety for whole faces at the same price. After 15 minutes
0.679 (93), heads of D that compare places 0.628 (90), codes of 128 numbers 0.527 (101); after five,
of 500 images, codes of 64, 32 and 16 numbers 0.58, 0.54 and 0.57. The box of before, which learnt
to draw from codes in its last 12 kimg alone, 0.737 (69), and with ``--truncation`` 0.6 0.685 (84).
But it rates 1,000 real faces held out 0.725, and 600 of those that the hour learnt from 0.719, what
it draws from their codes 0.709 (correlation 0.60): so it sees how clean and common a face is, and
differences between networks that readers see it does not: of the six of round 47 it has 0.691 to
0.704. What tells whole faces of ``modern`` from the rest by its answers (above 0.6, below 0.4):
typicality in 0.61 of pairs, and 0.67 with ``--truncation`` 0.6; how near the code of the image is
to that which it was drawn from 0.63 and 0.60; both summed 0.66 and 0.72; the logit of D, told or
not, 0.42 to 0.54.
"""

import argparse
import json
import random
import re
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from animegan_cli.checkpoints import load_snapshot
from animegan_cli.data import open_images
from animegan_cli.listing import list_images
from animegan_cli.pretrained import PRETRAINED
from animegan_cli.sampling import draw, to_rows, truncate

SIDE, A_ROW, A_PAGE = 288, 4, 16
READERS = 3
ANSWER = re.compile(r"(\d+) ([01])\s*(.*)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    pages = commands.add_parser("pages")
    pages.add_argument("out", type=Path)
    pages.add_argument(
        "sources", nargs="+", help="NAME=SNAPSHOT, NAME=SNAPSHOT@TRUNCATION or NAME=FOLDER"
    )
    pages.add_argument("--n", type=int, default=64, help="images of each")
    pages.add_argument("--first", type=int, default=0, help="seed to begin with")
    tally = commands.add_parser("tally")
    tally.add_argument("out", type=Path)
    options = parser.parse_args()
    if options.command == "tally":
        print_tally(options.out)
        return
    images = {}
    for source in options.sources:
        name, path = source.split("=", 1)
        for i, image in enumerate(images_of(path, options.n, options.first)):
            images[f"{name}/{i}"] = image
    for reader in range(READERS):
        lay_out(images, options.out, reader)


def images_of(path: str, count: int, first: int) -> list[Image.Image]:
    """Return the first images of a snapshot, truncated or not, or of a folder, evenly spaced."""
    if Path(path).is_dir():
        images = open_images(list_images(Path(path)), 96)
        spaced = images.batch(np.arange(count) * len(images) // count)
        return [Image.fromarray(row) for row in to_rows(spaced)]
    path, _, truncation = path.partition("@")
    snapshot = load_snapshot(PRETRAINED if path == "pretrained" else Path(path))
    truncate(snapshot.G, float(truncation or 1))
    batches = draw(snapshot.G, seeds=range(first, first + count))
    return [Image.fromarray(row) for batch in batches for row in to_rows(batch.images)]


def lay_out(images: dict[str, Image.Image], out: Path, reader: int) -> None:
    """Write all images in an order of a reader's own, and which is which beside them."""
    names = list(images)
    random.Random(reader).shuffle(names)
    folder = out / str(reader)
    folder.mkdir(parents=True, exist_ok=True)
    for start in range(0, len(names), A_PAGE):
        page = Image.new("RGB", (A_ROW * (SIDE + 14), A_PAGE // A_ROW * (SIDE + 34)), "white")
        pen = ImageDraw.Draw(page)
        for place, name in enumerate(names[start : start + A_PAGE]):
            x, y = place % A_ROW * (SIDE + 14) + 7, place // A_ROW * (SIDE + 34) + 7
            pen.text((x, y), f"{start + place:03d}", fill="black")
            page.paste(images[name].resize((SIDE, SIDE), Image.Resampling.BICUBIC), (x, y + 20))
        page.save(folder / f"page{start // A_PAGE:02d}.png")
    (out / f"key-{reader}.json").write_text(json.dumps(names))


def print_tally(out: Path) -> None:
    """Print how many of each are whole, and what those that are not lack."""
    votes: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    faults: dict[str, Counter[str]] = defaultdict(Counter)
    by_reader: dict[str, list[int]] = defaultdict(lambda: [0] * READERS)
    for reader in range(READERS):
        names = json.loads((out / f"key-{reader}.json").read_text())
        answers = (out / f"answers-{reader}.txt").read_text().splitlines()
        for number, whole, fault in (
            found.groups() for found in map(ANSWER.match, answers) if found
        ):
            source = names[int(number)].split("/")[0]
            votes[source][names[int(number)]].append(int(whole))
            by_reader[source][reader] += int(whole)
            if whole == "0":
                faults[source][fault] += 1
    print("| of | whole, by each | by most | faults |\n| --- | --- | --- | --- |")
    for source, images in votes.items():
        most = sum(2 * sum(given) > len(given) for given in images.values())
        common = ", ".join(f"{fault} {count}" for fault, count in faults[source].most_common(5))
        each = ", ".join(map(str, by_reader[source]))
        print(f"| {len(images)} {source} | {each} | {most} | {common} |")


if __name__ == "__main__":
    main()
