"""Quality after a budget of CPU time: any recipe, any setting, scored against held-out images.

``python tests/benchmarks/quality.py FACES HOLDOUT OUT --minutes 5 15 --set recipe=modern`` trains
one run on one thread, stops it at each budget, scores its snapshot and prints one row a budget.
A budget is the process's own CPU time, in minutes on two cores (15 are 1,800 CPU seconds); what
scoring costs is not counted. With ``--kimg 208 464`` budgets are images seen, as suits a GPU
(``--set recipe=modern-gpu device=cuda``), and seconds are those of the clock. The grids lie in
``OUT/samples``, the rows also in ``OUT/quality.jsonl``, of which ``quality_plot.py`` draws a
picture. *The box* in a row is what was in it at that time.

What was tried for the recipe ``modern``: 12,000 faces, 2,000 held out, 96 px, seed 0, one thread of
a shared AMD EPYC, bfloat16, n = 1,000, ``lite2``, floor 43. One run each; two runs that differ only
in rounding were 100 apart at 25 kimg, so only large differences mean something. Recall stayed under
0.05 where nothing else is said.

| CPU s | kimg | distance | precision | coverage | what |
| --- | --- | --- | --- | --- | --- |
| 300 | 12.0 | 537 | 0.652 | 0.331 | match 1, before the step was made faster (38 images/s) |
| 600 | 23.5 | 417 | 0.752 | 0.460 | the same run |
| 450 | 26.5 | 515 | 0.698 | 0.403 | match 1 (58 images/s): few kinds of faces |
| 900 | 52.0 | 461 | 0.765 | 0.513 | the same run: it stays with them |
| 450 | 26.5 | 394 | 0.694 | 0.533 | match 4 |
| 900 | 52.0 | 310 | 0.686 | 0.647 | the same run: varied, still blotches of wrong colour |
| 1,800 | 104.0 | 253 | 0.742 | 0.764 | the same run |
| 2,250 | 129.9 | 229 | 0.770 | 0.745 | the same run |
| 3,030 | 172.6 | 196 | 0.762 | 0.856 | the same run |
| 2,700 | 156.0 | 205 | 0.822 | 0.895 | from 130 kimg on match 1 |
| 3,600 | 208.0 | 178 | 0.816 | 0.891 | the same run |
| 600 | 34.0 | 371 | 0.703 | 0.506 | match 4 from the start, falling to 1 between 32 and 128 kimg |
| 1,800 | 103.5 | 229 | 0.829 | 0.847 | the same run: cleaner faces than at match 4, less varied |
| 3,600 | 203.5 | 212 | 0.835 | 0.874 | the same run, averaged with a half-life of 10 kimg |
| 4,400 | 252.2 | 174 | 0.803 | 0.888 | match 4 throughout: gains on and on, recall 0.04 |
| 5,800 | 331.5 | 160 | 0.794 | 0.889 | the same run, recall 0.06 |
| 6,580 | 375.0 | 147 | 0.785 | 0.918 | **the same run, match 1 from 332 kimg on: recall 0.09** |
| 4,850 | 276.5 | 181 | 0.774 | 0.882 | match 4; for the last 24 kimg half of all images zoomed |
| 2,250 | 130.5 | 242 | 0.754 | 0.766 | from 104 kimg on at a quarter of both learning rates |
| 450 | 26.5 | 553 | 0.410 | 0.256 | match 16, at most 256 channels: pixelated |
| 450 | 25.5 | 499 | 0.457 | 0.279 | match 4 and energy distance of pooled features, weight 4 |
| 450 | 25.5 | 414 | 0.578 | 0.446 | match 4, batch norm in the heads: smoother early, no nearer |
| 294 | 17.7 | 518 | 0.585 | 0.236 | match 1, batch norm in the heads, at most 256 channels |
| 140 | 7.6 | 826 | 0.229 | 0.064 | match 10 without its bias, batch 64: stopped |
| 300 | 10 | - | - | - | G from 6 x 6, pixels beside D's first tap: holes, stopped |
| 450 | 28.0 | 409 | 0.698 | 0.513 | match 4, no augmentation |
| 900 | 55.0 | 307 | 0.635 | 0.564 | the same run: no nearer, less covered, KID 40 and not 36 |
| 450 | 23.5 | 452 | 0.604 | 0.366 | match 4, batches of 16 |
| 450 | 43.0 | 396 | 0.660 | 0.425 | match 4, the first 40 kimg at 48 px (98 images/s) |
| 900 | 68.0 | 293 | 0.638 | 0.672 | the same run |
| 450 | 26.0 | 365 | 0.668 | 0.528 | match 4, both learning rates 8e-4, at 96 px throughout |
| 900 | 52.5 | 277 | 0.731 | 0.675 | the same run |
| 1,800 | 105.1 | 228 | 0.765 | 0.810 | the same run |
| 600 | 54.0 | 313 | 0.685 | 0.584 | **40 kimg at 48 px, 8e-4, match 4 falling from 128 kimg** |
| 1,800 | 124.0 | 220 | 0.727 | 0.752 | the same run |
| 3,600 | 228.0 | 181 | 0.754 | 0.859 | the same run, recall 0.04 |
| 5,400 | 328.0 | 160 | 0.823 | 0.882 | the same run, recall 0.06; stripes 11 times too strong |
| 7,220 | 430.0 | 140 | 0.803 | 0.924 | **the same run, then detail 0.1: stripes 2 times** |
| 600 | 54.0 | 331 | 0.603 | 0.508 | as that run, both learning rates 16e-4 |
| 600 | 52.0 | 367 | 0.612 | 0.430 | as that run, and detail 0.1 |
| 1,800 | 118.0 | 225 | 0.767 | 0.800 | the same run: stripes 3 times too strong, 12 times without |
| 636 | 34.0 | 217 | 0.702 | 0.723 | from the box (147), detail 1, averaged over little |
| 600 | 52.0 | 334 | 0.640 | 0.622 | detail 0.1, and moments averaged with 0.9 over batches |
| 1,800 | 118.0 | 220 | 0.697 | 0.728 | the same run: cleaner faces, like each other |
| 3,600 | 214.0 | 166 | 0.777 | 0.892 | the same run, recall 0.04; at 200 kimg 179 |
| 3,660 | 230.0 | 150 | 0.710 | 0.855 | that run, G at 3e-4 from 147 on, recall 0.10; at 200 161 |
| 5,400 | 324.0 | 139 | 0.742 | 0.863 | the same run, recall 0.13; G itself 206 |
| 7,260 | 424.0 | 130 | 0.724 | 0.883 | **the same run, G at 2e-4 from 324 kimg on, recall 0.19** |
| 1,260 | 500.0 | 139 | 0.794 | 0.947 | the run of 140 at 430 kimg, 70 kimg on: recall 0.08 |
| 1,260 | 500.0 | 147 | 0.806 | 0.921 | the same, moments averaged from 430 kimg on, recall 0.07 |
| 600 | 50.0 | 367 | 0.612 | 0.489 | moments averaged, G at 3e-4 from the start: later |
| 600 | 50.0 | 328 | 0.600 | 0.577 | **moments averaged, G at 8e-4, falling from 64 kimg** |
| 1,800 | 114.0 | 199 | 0.698 | 0.805 | **the same run** |
| 3,600 | 214.0 | 158 | 0.719 | 0.830 | **the same run, recall 0.09** |
| 330 | 234.0 | 151 | 0.717 | 0.843 | that run at 221 kimg, 13 on; 150 at 255, recall 0.11 |
| 600 | 256.0 | 152 | - | - | the same state, features matched as they are, not mixed |
| 330 | 234.0 | 136 | 0.801 | 0.913 | the same state, as they are, and covariance 1 |
| 960 | 274.0 | 130 | - | 0.888 | the same run, recall 0.17 |
| 600 | 54.0 | 328 | 0.894 | 0.752 | from the start, mixed features, covariance 1: recall 0 |
| 600 | 54.0 | 267 | 0.930 | 0.871 | as they are, covariance 1: mouths with teeth, lines |
| 1,800 | 122.0 | 167 | 0.862 | 0.916 | the same run: few kinds of faces, strokes |
| 600 | 52.0 | 267 | 0.855 | 0.787 | as they are, covariance 0.25: clean faces with two eyes |
| 1,800 | 122.0 | 144 | 0.844 | 0.910 | the same run, recall 0.08 |
| 600 | 52.0 | 456 | 0.864 | 0.490 | all averages of the batches before this one: G swings |
| 600 | 52.0 | 400 | 0.821 | 0.528 | the same with covariance 0.1 |
| 600 | 54.0 | 272 | 0.800 | 0.774 | covariance 0.25 of the last three taps, of all batches |
| 600 | 54.0 | 278 | 0.821 | 0.735 | of all four taps |
| 1,800 | 124.0 | 145 | 0.824 | 0.940 | the same run, recall 0.06 |
| 3,600 | 226.0 | 135 | 0.763 | 0.888 | the same run, recall 0.13 |
| 630 | 268.0 | 138 | 0.749 | 0.897 | that run, from 233 on own means, half of g_lr, recall 0.16 |
| 630 | 268.0 | 129 | 0.763 | 0.895 | the same, g_lr as it was, recall 0.19 |
| 630 | 268.0 | 127 | 0.766 | 0.894 | the same, match not falling from 233 kimg on, recall 0.17 |
| 600 | 52.0 | 254 | 0.770 | 0.761 | **covariance about the own mean of each batch** |
| 1,800 | 122.0 | 140 | 0.815 | 0.914 | **the same run, recall 0.11** |
| 3,600 | 226.0 | 127 | 0.781 | 0.909 | **the same run, recall 0.15** |
| 4,840 | 294.4 | 123 | 0.769 | 0.913 | **the same run, recall 0.20** |
| 600 | 54.0 | 241 | 0.742 | 0.762 | **that recipe, seed 1** |
| 1,800 | 122.0 | 137 | 0.807 | 0.909 | **the same run, recall 0.12** |
| 600 | 52.0 | 257 | 0.825 | 0.790 | seed 0, moments of reals over the longer window |
| 360 | 316.0 | 117 | 0.779 | 0.916 | the run of 123, shifts of 3 pixels, not 12; recall 0.24 |
| 360 | 316.0 | 125 | 0.735 | 0.886 | the run of 123, octaves of the image matched too |
| 360 | 312.0 | 126 | 0.769 | 0.895 | the same and a fifth head, on pixels (50 images/s) |
| 480 | 318.0 | 125 | 0.754 | 0.902 | the same, the head on pixels and their finest octave |
| 600 | 54.0 | 208 | 0.743 | 0.782 | from the start, shifts of 3 pixels: lines at fixed places |
| 600 | 54.0 | 214 | 0.742 | 0.760 | no shifts |
| 600 | 50.0 | 209 | 0.767 | 0.813 | shifts of 3 pixels, octaves, the head on pixels |
| 600 | 52.0 | 197 | 0.754 | 0.801 | **shifts of 3 pixels, octaves, detail 0.1 in bands** |
| 1,800 | 118.0 | 129 | 0.780 | 0.895 | **the same run, recall 0.18** |
| 3,600 | 214.0 | 118 | 0.781 | 0.901 | **the same run, recall 0.21** |
| 600 | 52.0 | 202 | 0.792 | 0.813 | colours not changed |
| 600 | 52.0 | 264 | 0.656 | 0.658 | covariances of left and right halves |
| 600 | 54.0 | 273 | 0.721 | 0.657 | G's coarse stages enlarged by bilinear interpolation |
| 480 | 166.0 | 121 | 0.762 | 0.890 | from 139 kimg, 0.1 of log power: no weave, recall 0.22 |
| 600 | 200.0 | 117 | 0.776 | 0.928 | from 166 kimg, 0.4 of amplitudes: recall 0.24 |
| 600 | 52.0 | 209 | 0.742 | 0.756 | **from the start, power at each frequency, 0.4: no weave** |
| 1,800 | 116.0 | 128 | 0.782 | 0.896 | **the same run, recall 0.14** |

On a core without bfloat16 (an EPYC of 2021), so in float32, 29 images a CPU second at half size:

| CPU s | kimg | distance | precision | coverage | what |
| --- | --- | --- | --- | --- | --- |
| 626 | 18.0 | 383 | 0.625 | 0.417 | the recipe as it stood |
| 611 | 18.0 | 499 | 0.415 | 0.221 | covariances within images (Gram matrices of the taps), 1 |

One run each, at half size, and 116 apart where rounding alone has made 100: no verdict.

There too, D looking at images 1.5 times as large (``d_zoom``) and, before it on that core, a run
without, both with ``batch_kimg=80``; KID in place of precision:

| CPU s | kimg | distance | KID | recall | coverage | what |
| --- | --- | --- | --- | --- | --- | --- |
| 606 | 30.0 | 356 | 71.9 | 0.005 | 0.429 | **as they are (43 images/s at half size, 25 after)** |
| 1,865 | 66.0 | 172 | 22.8 | 0.077 | 0.810 | **the same run** |
| 3,621 | 112.1 | 125 | 13.1 | 0.171 | 0.908 | the same run, batches of 64 from 80 kimg on |
| 601 | 22.0 | 303 | 56.3 | 0.006 | 0.560 | 1.5 times as large (37 images/s, then 17) |
| 1,854 | 52.0 | 165 | 19.7 | 0.055 | 0.882 | the same run |
| 3,716 | 80.1 | 125 | 12.4 | 0.119 | 0.933 | the same run |
| 3,660 | 100.1 | 110 | 8.5 | 0.177 | 0.936 | a copy of the first run, so from 78 kimg on |
| - | 100.0 | 113 | 9.3 | 0.161 | 0.948 | such a copy again, stopped at 117 |
| - | 90.0 | 121 | 10.8 | 0.134 | 0.950 | **another, in batches of 32: the recipe** |
| 3,800 | 100.0 | **114** | 9.3 | 0.165 | 0.945 | **the same run** (seconds by its images/s) |
| 5,500 | 126.0 | 102 | 7.1 | 0.182 | 0.956 | **the same run** |
| 7,300 | 154.0 | **97** | 6.2 | 0.238 | 0.945 | **the same run** |
| 610 | 20.0 | 326 | 61.5 | 0.006 | 0.541 | 1.5 times at half of the size, then as they are |
| 1,843 | 54.0 | 179 | 23.6 | 0.049 | 0.852 | the same run |
| 3,609 | 86.0 | 123 | 12.5 | 0.164 | 0.925 | the same run, 1.5 times again from 70 kimg on |
| 1,819 | 60.0 | 252 | 44.0 | 0.018 | 0.621 | its copy, half of the size up to 60 kimg |

A zoom is of most use for its time once G draws faces. The copies of the first run went on from
its state at 77.8 kimg with the zoom set by hand; ``d_zoom_kimg`` came of it. The last row's images
are still of half of the size; it was stopped there.

In batches of 128 with schedules as many steps long (``modern-gpu``), on an H200, one run:

| seconds | kimg | distance | precision | recall | what |
| --- | --- | --- | --- | --- | --- |
| 67 | 208.0 | 145 | 0.769 | 0.116 | 1,625 steps, as many as 52 kimg of ``modern``: 209 |
| 100 | 464.0 | 92 | 0.782 | 0.313 | 3,625 steps, as many as 116 kimg of ``modern``: 128 |
| 159 | 928.0 | 88 | 0.768 | 0.361 | the same run |
| 245 | 1,615.6 | 84 | 0.759 | 0.394 | the same run |
| 353 | 2,477.8 | 82 | 0.762 | 0.464 | the same, G's rate falling in a line to 3 % |
| - | 2,489.9 | 69.7 | 0.757 | 0.483 | 12 kimg on on a CPU: ``modern``, zoom 1.5, batches of 64 |
| - | 2,521.9 | 66.4 | 0.781 | 0.456 | **the same run: the box of before** |
| - | 2,533.9 | 66.9 | 0.783 | 0.475 | its copy, 12 kimg more at zoom 2: nothing gained |

With the zoom from 312 kimg on, as ``modern-gpu`` has it now (other runs shared the GPU): **76.0**
at 464 kimg, precision 0.805, recall 0.376, density 1.32.

Copies of the box went on on an H200 as ``modern-gpu`` from a snapshot does (G at 2e-4), by a judge
that gives the box itself 67.2:

| kimg more | distance | KID | precision | recall | what |
| --- | --- | --- | --- | --- | --- |
| 150 | 65.9 | 2.5 | 0.768 | 0.462 | batches of 128, zoom 1.5 |
| 300 | 67.4 | 2.4 | 0.778 | 0.455 | the same run |
| 150 | 66.5 | 2.7 | 0.766 | 0.439 | batches of 256, zoom 1.5 |
| 450 | 65.2 | 2.6 | 0.783 | 0.472 | the same run |
| 100 | 66.2 | 2.5 | 0.765 | 0.455 | batches of 128, zoom 2 |
| 250 | 67.2 | 2.6 | 0.785 | 0.455 | the same run (68.1 at 200) |

It stays where it is: D can hardly tell its faces from real ones (hinge loss 1.6; 2 if not at all).

``modern`` as it stands, on an H100, one run each to 153.6 kimg, and what was tried of it:

| distance | KID | precision | recall | density | what |
| --- | --- | --- | --- | --- | --- |
| 96.6 | 6.7 | 0.822 | 0.238 | 1.34 | **the recipe (97 on a CPU)** |
| 94.8 | 5.8 | 0.774 | 0.229 | 1.21 | heads of D 128 channels wide |
| 95.4 | 5.9 | 0.824 | 0.173 | 1.44 | G with a second convolution at 48 px too |
| 99.2 | 6.3 | 0.804 | 0.187 | 1.31 | G half as wide again (48) |
| 101.6 | 7.8 | 0.841 | 0.208 | 1.38 | attention in G at 12 and 24 px |
| 104.2 | 8.3 | 0.858 | 0.181 | 1.62 | the 9,600 most typical of the faces alone |

None of these is worth what it costs.

All above is of heads of D that see random mixtures of the frozen features (``d_mixed=true`` now).
Without, on one core of the first machine, the recipe as it stands in both ways:

| CPU s | kimg | distance | KID | precision | recall | coverage | what |
| --- | --- | --- | --- | --- | --- | --- | --- |
| 622 | 56.0 | 183 | 24.7 | 0.767 | 0.049 | 0.817 | mixtures |
| 1,812 | 110.0 | 115 | 10.3 | 0.797 | 0.177 | 0.932 | the same run |
| 3,641 | 182.0 | 98 | 7.3 | 0.810 | 0.217 | 0.955 | the same run |
| - | 98.0 | 114 | 9.0 | 0.854 | 0.175 | 0.955 | its copy, new heads without from 77 kimg on |
| 601 | 54.0 | 177 | 22.3 | 0.837 | 0.027 | 0.874 | **the features themselves** |
| 1,836 | 110.0 | **98** | 6.2 | 0.844 | 0.173 | 0.957 | **the same run** |
| 3,636 | 178.0 | **90** | 5.0 | 0.833 | 0.247 | 0.961 | **the same run** |
| - | 192.0 | **88** | 4.5 | 0.840 | 0.242 | 0.964 | **the same run** |
| - | 192.0 | 89 | 4.8 | 0.860 | 0.194 | 0.966 | its copy, with g_lr_kimg=128 from 178 kimg on |
| - | 200.0 | 94 | 7.5 | 0.923 | 0.149 | 0.986 | its copy, with typical=3.5 from 192 kimg on |
| - | 200.0 | **87** | 4.7 | 0.843 | 0.231 | 0.966 | **the run itself** |
| 5,487 | 248.0 | **84** | 4.2 | 0.830 | 0.248 | 0.973 | **the run, resumed from 178 kimg** |
| 7,210 | 312.0 | **81** | 4.1 | 0.811 | 0.287 | 0.967 | **the same run** |
| - | 16.0 | 63.9 | 1.9 | 0.778 | 0.469 | 0.959 | the box of before, new heads, batches of 64 |
| - | 40.0 | 63.7 | 1.6 | 0.765 | 0.461 | 0.963 | the same run |
| - | 64.0 | 64.3 | 1.7 | 0.775 | 0.426 | 0.969 | **the same run: the box** |

With ``g_styled`` (the first 12 kimg shared their core with another run, which cost it some images;
rates are the same otherwise), more varied and nearer, but fewer faces are whole (``blind.py``):

| CPU s | kimg | distance | KID | precision | recall | coverage | what |
| --- | --- | --- | --- | --- | --- | --- | --- |
| 605 | 50.0 | 190 | 27.6 | 0.687 | 0.084 | 0.760 | noise styles G |
| 1,811 | 102.0 | 97 | 6.5 | 0.762 | 0.308 | 0.946 | the same run |
| 3,627 | 172.0 | 82 | 4.3 | 0.773 | 0.400 | 0.951 | the same run, resumed at 102 kimg |
| - | 180.0 | 82 | 4.5 | 0.764 | 0.397 | 0.952 | the same run |
| - | 180.0 | 85 | 6.2 | 0.855 | 0.264 | 0.978 | its copy, with typical=3.5 from 172 kimg on |

Styles began at random, with a deviation of 0.02. From zero G's mismatch was 0.469 after 10 kimg and
0.305 after 24 (0.497 and 0.303 so, 0.570 and 0.338 without styles); from zero, at 96 px too, and
with a network of two layers between the noise and them 0.503 and, after 22, 0.325 (0.310).

Why no mixtures: ``parts.py``. The hinge loss of D was 0.80 at 98 kimg, where that of mixtures was
1.20. From the run of mixtures at 77 kimg, with a frozen network taught to see broken faces (see
there), 207 at 98 kimg (loss 0.90), and with the mean of it and the published one 131 (1.19).

With ``paired``: half of a batch is drawn from codes of real images (``pairing.py``), so that G is
told what each should have become. On the same machine, two runs beside each other, other work now
and then; codes of 64 numbers, weight 1 and styles where nothing else is said. The rows down to that
of weight 0.25 are of code before it was a setting, whose codes came of all images, flipped and not:

| CPU s | kimg | distance | KID | precision | recall | coverage | what |
| --- | --- | --- | --- | --- | --- | --- | --- |
| - | 24.0 | 382 | 78.5 | 0.722 | 0.005 | 0.434 | noise itself instead of codes drawn, no styles |
| - | 52.0 | 168 | 22.5 | 0.859 | 0.059 | 0.911 | the same run |
| - | 24.0 | 390 | 80.1 | 0.658 | 0.011 | 0.395 | noise itself |
| - | 52.0 | 172 | 26.1 | 0.843 | 0.100 | 0.861 | the same run |
| - | 24.0 | 437 | 89.7 | 0.678 | 0.000 | 0.371 | as the first, weight 4: stopped |
| - | 52.0 | 175 | 25.3 | 0.877 | 0.054 | 0.884 | as the first, codes of 128 numbers, weight 2 |
| - | 52.0 | 171 | 25.1 | 0.867 | 0.052 | 0.897 | codes drawn from a mixture, no styles |
| - | 104.0 | 98 | 7.7 | 0.914 | 0.216 | 0.988 | the same run |
| - | 52.0 | 170 | 25.4 | 0.814 | 0.099 | 0.843 | **codes drawn from a mixture** |
| - | 104.0 | 94 | 7.0 | 0.865 | 0.293 | 0.986 | **the same run** |
| - | 116.0 | 88 | 5.9 | 0.862 | 0.305 | 0.982 | its copy, paired in two deeper taps and colours |
| - | 116.0 | 87 | 5.5 | 0.834 | 0.326 | 0.976 | another, weight 0.25 from 104 kimg on |
| 632 | 50.0 | 173 | 25.2 | 0.827 | 0.074 | 0.848 | **the recipe without ``paired_focus``** |
| 1,826 | 100.0 | 95 | 7.4 | 0.861 | 0.267 | 0.977 | **the same run** |
| - | 168.0 | 82 | 5.6 | 0.839 | 0.353 | 0.979 | **the run of 94 at 104 kimg, on by the recipe** |
| - | 291.6 | 80 | 5.7 | 0.850 | 0.380 | 0.968 | **the same run, after an hour on two cores** |
| - | 132.0 | 82 | 5.2 | 0.823 | 0.373 | 0.976 | a copy of the run of 95, weight 0.1 from there |
| - | 116.0 | 91 | 7.0 | 0.839 | 0.302 | 0.975 | another, 0.1, every other step of the middle |
| - | 132.0 | 88 | 5.9 | 0.807 | 0.328 | 0.971 | the same run |
| - | 116.0 | 87 | 6.3 | 0.844 | 0.326 | 0.972 | another, 0.1, heads of D that learn places |
| - | 116.0 | 110 | 11.9 | 0.884 | 0.180 | 0.967 | another, weight 4 from there on |
| 605 | 46.0 | 222 | 40.0 | 0.803 | 0.022 | 0.739 | the recipe, ``few``: none copied |
| - | 4.0 | 68.0 | 2.4 | 0.830 | 0.369 | 0.976 | the box, on by the recipe |
| - | 20.0 | 84.4 | 5.7 | 0.856 | 0.319 | 0.983 | the same run: held back by what it is told |

(In every other step: D saw the middle 64 pixels alone, enlarged to as many as else, with heads and
moments of their own.) Drawn with ``truncation`` 0.85 and 0.7, the run of 82 at 168 kimg has 88 and
106, recall 0.286 and 0.163.

With ``paired_focus`` 0.85 and ``d_conditional=0``, by a forerunner of the setting of which nothing
but rounding differs, and from the state at 102 kimg on, what else was tried of it (how many faces
were whole: ``blind.py``):

| CPU s | kimg | distance | KID | precision | recall | coverage | what |
| --- | --- | --- | --- | --- | --- | --- | --- |
| 613 | 50.0 | 186 | 30.0 | 0.783 | 0.089 | 0.809 | **the recipe without ``d_conditional``** |
| 1,808 | 102.0 | 96 | 7.9 | 0.831 | 0.282 | 0.969 | **the same run** |
| 3,615 | 168.0 | 85 | 6.6 | 0.817 | 0.382 | 0.965 | **the same run** |
| 7,239 | 302.0 | 81 | 6.3 | 0.827 | 0.412 | 0.972 | **the same run** |
| 619 | 50.0 | 189 | 30.0 | 0.760 | 0.083 | 0.833 | the middle at 2 pixels is a third of a code |
| - | 118.0 | 91 | 7.2 | 0.835 | 0.329 | 0.973 | G told by heads that see broken faces, 0.5 |
| - | 118.0 | 92 | 7.5 | 0.826 | 0.324 | 0.974 | colours compared over 4 and 2 pixels too |
| - | 12.0 | 69.5 | 2.8 | 0.849 | 0.382 | 0.982 | **the box of 64.3, on in batches of 64** |
| - | 40.0 | 78.5 | 5.0 | 0.879 | 0.338 | 0.984 | the same run |
| - | 12.0 | 93.3 | 7.4 | 0.860 | 0.218 | 0.969 | the hour without pairs (81), on by the recipe |

Those heads are two of 128 channels at the coarser taps, which tell places, taught before with 9,200
pairs (``parts.py``) and further with 16 a step; G was told where its images were below the mean of
real ones. They rated its images above real ones throughout (1.15 and 0.72 at 104 kimg, 1.20 and
0.85 at 118, broken ones -0.84 and -1.02). Broken images as a third of what D tells from real ones:
its mean probability of them was 0.60 after 4 kimg, 0.64 of real ones and 0.30 of G's; stopped.

From the start, and from the state at 102 kimg on, without ``d_conditional`` too:

| CPU s | kimg | distance | KID | precision | recall | coverage | what |
| --- | --- | --- | --- | --- | --- | --- | --- |
| 514 | 50.0 | 361 | 79.7 | 0.598 | 0.024 | 0.428 | images of half of the size throughout |
| 1,016 | 100.0 | 333 | 70.0 | 0.615 | 0.035 | 0.425 | the same run: as many faults as at 50 |
| - | 25.0 | 390 | 78.9 | 0.510 | 0.015 | 0.329 | an encoder tells more of paired images |
| - | 50.0 | 186 | 29.4 | 0.660 | 0.112 | 0.760 | the same run: eyes in wrong places |
| - | 112.0 | 92 | 7.1 | 0.832 | 0.326 | 0.970 | the recipe without ``d_conditional``, on |

(The encoder: two layers from what codes are made of to the mean and variance of the other half of
the noise of a paired image, with a weight of 0.02 for its divergence from noise, of which it told
23 nats; Larsen et al. 2016, arXiv 1512.09300.) In the last row averages of half-lives of 0.5 to 5
kimg drew the same faces, whole or not; G itself draws more mouths, and more flecks.

With ``d_conditional``, two runs, tests and other runs beside them, which costs some images; the
second and its copies are of a forerunner of which nothing but rounding differs:

| CPU s | kimg | distance | KID | precision | recall | coverage | what |
| --- | --- | --- | --- | --- | --- | --- | --- |
| 636 | 48.0 | 200 | 33.6 | 0.758 | 0.080 | 0.803 | **the recipe as it stands** |
| 1,842 | 100.0 | 93 | 6.2 | 0.855 | 0.273 | 0.978 | **the same run** |
| 3,644 | 162.0 | 82 | 5.7 | 0.851 | 0.340 | 0.975 | **the same run** |
| 7,226 | 284.0 | 81 | 6.3 | 0.848 | 0.335 | 0.988 | **the same run: the box then** |
| - | 290.0 | 85 | 7.9 | 0.902 | 0.260 | 0.988 | its copy, ``typical`` 3.5 from 284 kimg on |
| - | 298.0 | 91 | 9.6 | 0.933 | 0.189 | 0.988 | the same run |
| - | 50.0 | 170 | 24.5 | 0.823 | 0.086 | 0.864 | another run |
| - | 102.0 | 92 | 6.8 | 0.844 | 0.271 | 0.974 | the same run |
| - | 118.0 | 84 | 5.4 | 0.841 | 0.355 | 0.970 | its copy, ``paired`` 0.1 from 102 kimg on |
| - | 118.0 | 89 | 6.7 | 0.854 | 0.311 | 0.978 | another, D told that others' codes are wrong, 0.5 |
| 642 | 46.0 | 225 | 41.3 | 0.728 | 0.062 | 0.721 | heads of D that compare places (``parts.py``) |
| 613 | 44.0 | 246 | 46.5 | 0.720 | 0.039 | 0.661 | another such run |
| 1,816 | 94.0 | 89 | 6.6 | 0.836 | 0.302 | 0.974 | the same run: not more faces whole |
| 3,603 | 152.0 | 83 | 5.9 | 0.831 | 0.344 | 0.980 | the same run |
| 602 | 44.0 | 251 | 45.5 | 0.656 | 0.047 | 0.620 | codes of 128 numbers, ``z_dim`` 256 |
| 1,807 | 94.0 | 104 | 8.3 | 0.820 | 0.272 | 0.955 | the same run: far fewer whole (``blind.py``) |
| 615 | 48.0 | 200 | 33.6 | 0.789 | 0.066 | 0.792 | codes of 32 numbers |
| 613 | 48.0 | 209 | 33.9 | 0.762 | 0.043 | 0.793 | codes of 16 numbers |
| 633 | 46.0 | 226 | 40.3 | 0.783 | 0.041 | 0.719 | the recipe, ``few`` |
| 1,845 | 96.0 | 101 | 7.7 | 0.862 | 0.217 | 0.970 | the same run |
| 3,621 | 154.0 | 91 | 6.8 | 0.883 | 0.285 | 0.975 | the same run |
| 7,211 | 274.0 | 97 | 9.0 | 0.872 | 0.240 | 0.964 | the same run: nothing copied (README) |
| - | 12.0 | 73 | 3.6 | 0.848 | 0.360 | 0.988 | the box of before, on in batches of 64 |

What else was tried of the recipe before ``paired``, one run each there, two beside each other:

| CPU s | kimg | distance | KID | precision | recall | coverage | what |
| --- | --- | --- | --- | --- | --- | --- | --- |
| 607 | 50.0 | 218 | 32.2 | 0.794 | 0.033 | 0.777 | heads of D that know places (``parts.py``) |
| 1,846 | 104.0 | 109 | 7.9 | 0.840 | 0.153 | 0.955 | the same run: D's loss 0.57, fewer whole |
| - | 16.0 | 63.9 | 1.7 | 0.803 | 0.462 | 0.960 | the box on with such heads, 6 x 6 places |
| - | 40.0 | 62.4 | 1.6 | 0.782 | 0.474 | 0.969 | the same run: as many faces whole as of the box |
| 609 | 46.0 | 212 | 32.2 | 0.731 | 0.059 | 0.714 | G by Muon, a fifth slower: no nearer |

Muon (Jordan et al. 2024) with momentum 0.8 and steps as long as Adam's were; G's mismatch after 24
kimg was 0.32 (0.34 with Adam), and with steps of a third 0.87 and not 0.57 after 10.

Moving the noise of 256 drawn images uphill in D's logit before they are drawn (12 steps that turn
it by 11 degrees in all; Che et al. 2020, arXiv 2003.06060) raised recall (0.46 and not 0.36) and no
precision; uphill in typicality made precision 0.98 and recall 0.07. Faces that were broken stayed
so.

``typical``, on the core without bfloat16, from copies of runs without it (at 154 kimg that of an
hour, at 78 its beginning; the box as it was made). That from 78 on, and the two without logarithm,
in deviations of real images' distances and with weight 1, are of the code before it was a setting:

| kimg | distance | KID | precision | recall | density | what |
| --- | --- | --- | --- | --- | --- | --- |
| 154 | 96.7 | 6.2 | 0.814 | 0.238 | 1.28 | the run of an hour |
| 162 | 95.9 | 6.4 | 0.816 | 0.246 | 1.26 | the same run, 8 kimg further |
| 162 | 98.0 | 7.1 | 0.895 | 0.167 | 1.93 | **its copy, 3.5 from 154 kimg on** |
| 162 | 109.9 | 10.7 | 0.945 | 0.107 | 2.42 | a copy, 7 from 154 kimg on |
| 162 | 95.6 | 6.2 | 0.877 | 0.188 | 1.71 | a copy, distances and not their logarithm |
| 170 | 98.3 | 7.1 | 0.907 | 0.168 | 2.01 | the same run |
| 160 | 94.8 | 6.0 | 0.811 | 0.225 | 1.31 | a copy, only what is less typical than reals |
| 90 | 121 | 10.8 | 0.819 | 0.134 | 1.34 | the run at 90 kimg |
| 90 | 132 | 14.8 | 0.897 | 0.093 | 1.91 | 3.5 from 78 kimg on |
| 30 | 356 | 71.9 | 0.599 | 0.005 | 0.55 | the run at 30 kimg |
| 30 | 401 | 81.8 | 0.714 | 0.001 | 0.88 | 3.5 from the start |
| 44 | 66.4 | 2.5 | 0.779 | 0.457 | - | the box |
| 52 | 67.9 | 3.4 | 0.847 | 0.368 | 1.49 | **its copy, 2 from 44 kimg on** |
| 60 | 69.6 | 4.0 | 0.882 | 0.320 | 1.77 | **the same run** |

Images become cleaner and more alike, and no nearer to real ones as a whole: a choice, and not part
of a recipe. How many faces are whole with it stands in ``blind.py``.

With codes and a D that is told of them, on an H200, six runs and tests beside each other, by a
judge whose weights were rounded to half precision:

| kimg | distance | precision | recall | kimg | distance | precision | recall | what |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
| 100 | 87.6 | 0.863 | 0.296 | 214 | 77.1 | 0.850 | 0.344 | **the recipe**: 77 at 162 |
| 100 | 90.9 | 0.868 | 0.288 | 224 | 76.9 | 0.847 | 0.387 | ``d_iter_step=2``: 80 at 162 |
| 100 | 84.9 | 0.868 | 0.291 | 210 | 71.4 | 0.842 | 0.417 | ``width=64`` |
| 100 | 82.7 | 0.844 | 0.341 | 214 | 70.9 | 0.832 | 0.403 | that, at most 256 channels |
| 100 | 82.5 | 0.863 | 0.330 | 224 | 70.5 | 0.816 | 0.427 | that, ``d_iter_step=2`` |
| 100 | 84.1 | 0.844 | 0.316 | 210 | 74.3 | 0.818 | 0.368 | 512 channels at 6 pixels, 256 at 12 |

(How many faces are whole: ``blind.py``, rounds 47 and 48. Scored again here, 77.0 and 77.0 for the
first two, recall 0.388 and 0.379.) On the first machine, at half of the size and enlarged, the
second sees 1.05 and 1.06 times as many images a second as the first, the third 0.48 and 0.69
(``in_turns.py``), by the rates of single steps the fourth 0.64 and 0.78, the last 0.66 and 0.84:
wider ones are behind in an hour's time for its first half. Where D learns in every other step it is
less far ahead of G: hinge loss 0.95 at 100 kimg, and 0.77 for the recipe (2 is where it cannot
tell). On a CPU that has 187 after 613 s (50 kimg, recall 0.083) and 95 after 1,853 s (106 kimg,
0.294), where the recipe has 200 and 93, and no more whole faces (round 49), by code that also left
out of steps without D what is for D alone (1.10 and 1.08 times as fast as the recipe): neither was
worth a change.

Both from 100 kimg on, at 284: batches of 64, D in every other step (two processes on the virtual
Xeon named below, in float32; ``settings.json`` changed by hand, so that G's rate fell on as in
batches of 32): distance 75.6, KID 4.8, precision 0.842 and recall 0.361, and with ``--truncation
0.6`` 134, where the hour has 81, 6.3, 0.848, 0.335 and 127. Nearer and more varied, and no more
faces whole (round 56: 101 of 128, and 109). G's mismatch was 0.157, D's hinge loss 0.97.

Width 64, at most 256 channels, on a CPU, beginning with the first channels of each map (``width=64
max_channels=256 narrow_width=32``), up to 40 kimg or to 78 (``narrow_kimg``); on the first machine,
two runs and tests beside each other. Its states were made of those of a narrow run by a forerunner
of the setting:

| CPU s | kimg | distance | KID | precision | recall | coverage | what |
| --- | --- | --- | --- | --- | --- | --- | --- |
| 451 | 40.0 | 353 | 75.5 | 0.653 | 0.024 | 0.447 | narrow, at half of the size |
| 625 | 46.0 | 214 | 39.3 | 0.738 | 0.033 | 0.755 | all channels from 40 kimg on |
| 1,878 | 86.0 | 101 | 9.7 | 0.844 | 0.242 | 0.972 | the same run |
| 3,634 | 132.0 | 79 | 5.4 | 0.857 | 0.365 | 0.977 | the same run |
| 7,285 | 226.0 | **74** | 4.5 | 0.852 | 0.397 | 0.983 | the same run: no more faces whole |
| 1,186 | 78.0 | 133 | 18.5 | 0.789 | 0.224 | 0.905 | narrow further, from 40 kimg |
| 1,802 | 94.0 | 97 | 8.6 | 0.853 | 0.260 | 0.977 | all channels from 78 kimg on |
| 3,672 | 142.0 | 79 | 5.3 | 0.868 | 0.352 | 0.982 | the same run: fewer faces whole |
| 8,189 | 310.0 | 81 | 6.4 | 0.856 | 0.350 | 0.980 | the hour of 284 kimg, wider from there on |
| 10,838 | 380.0 | **75** | 5.0 | 0.857 | 0.359 | 0.985 | the same run: as many faces whole |
| - | 400.5 | 77 | 5.0 | 0.868 | 0.366 | 0.982 | the hour's snapshot, wider, an hour of two cores |
| - | 493.6 | **70** | 4.4 | 0.865 | 0.406 | 0.989 | that one's, 48 minutes more: the box |

(Of that hour the 256 channels at 3 pixels that do least were left out: after 2 kimg G's mismatch is
0.24, and was 0.22. ``g_lr_kimg`` was 128 from there on.) The last two rows are by two processes in
batches of 64 on a virtual Xeon, in float32, 32 images a second, with G's rate 4e-4 and then
2e-4 (``g_lr`` 1.6e-3 and 8e-4 with ``init``; the model card has the commands); G's mismatch is
0.192 and 0.167 at their ends. They are nearer, and whole as often as the hour's own within chance
(rounds 53 and 54: 58 and 59, then 57, where that has 52 and 57). With all channels G moves further
for its images: the first of these runs has a mismatch of 0.210 at 128 kimg, where the recipe's has
0.244, and D a hinge loss of 0.84 and not 0.70. How many faces are whole (``blind.py``, rounds 51
and 52) does not follow: what is wrong most often at 226 kimg is a smeared right eye. With
``truncation`` 0.8, 0.6, 0.55, 0.5 and 0.4 the distance of that is 87, 119, 131, 144 and 177.

At 92 to 100 kimg of other runs there, D's loss and the mismatch of G, of which no image was kept:
0.77 and 0.284 the recipe, 0.72 and 0.279 where G's loss weighs places by the softmax of
minus their logits, 0.18 and 0.278 the relativistic loss, 0.88 and 0.275 ``d_lr=3e-4``, 0.71 and
0.281 ``g_lr_kimg=256``, 0.80 and 0.276 attention in G at 12 and 24 pixels and two convolutions at
48 too, 0.80 and 0.347 ``d_zoom=2.25``.

A copy of the hour's run went on from 284 kimg with ``d_zoom=2.25``: 77.1 at 292 (KID 4.8, recall
0.337), and as many faces whole as before. From its snapshot (``init``), in batches of 64 with
``ema_kimg=10`` too, drawn in bfloat16, where the hour has 79: 76.9 after 16 kimg (recall 0.332;
with ``--truncation`` 0.6 133, the hour 131) and 77.7 after 32 (0.332; 136), 1,600 CPU s: it stays
where it is, and after 24 kimg 54 of 64 are whole with 0.6, where 56 were.

``modern`` itself on an H200, without the zoom, one run, and what was tried of it (``few``: every
24th of the 12,000 faces, 500 in all; tests ran beside it, so no seconds):

| seconds | kimg | distance | precision | recall | what |
| --- | --- | --- | --- | --- | --- |
| 55 | 52.0 | 210 | 0.740 | 0.034 | on the CPU 209 at 52 kimg |
| 75 | 116.0 | 130 | 0.811 | 0.140 | on the CPU 128 |
| 112 | 232.0 | 122 | 0.767 | 0.219 | the same run |
| 169 | 410.0 | 112 | 0.776 | 0.239 | the same run |
| 297 | 820.0 | 98 | 0.793 | 0.293 | the same run: it still gains |
| 169 | 410.0 | 124 | 0.734 | 0.241 | its copy, G's rate falling in a line to 0 from 328 kimg on |
| - | 116.0 | 130 | 0.822 | 0.122 | few |
| - | 232.0 | 123 | 0.802 | 0.164 | the same run |
| - | 410.0 | 116 | 0.811 | 0.190 | the same run, nothing copied (HISTORY.md) |

On the core without bfloat16 as the recipe stands, with the zoom, ``few``: 371 at 30 kimg, 175 at
66, 130 at 100 (recall 0.085) and 115 at 126 (KID 8.6, precision 0.817, recall 0.148), after 7,290
CPU s.

A fall of G's rate to nothing before the end (a cooldown) was to become a setting; it made the faces
worse, and did not. ``modern-gpu`` gets further by then with as many images, though it is behind at
first: 92 at 464 kimg.

``modern`` stayed at 117 to 121 from 166 to 232 kimg; its networks can do more than it showed there.
In batches of 128 for its last 48 kimg alone it does not: at 64 px, on the core without bfloat16, a
run had 180 at 275 kimg, and a copy of it, 375 such steps from 234 kimg on and averaged over half as
many steps, 187 at 282. A run there that had 179 at 322 kimg went on in copies of it:

| kimg | distance | KID | recall | what changed at 322 kimg |
| --- | --- | --- | --- | --- |
| 366 | 175 | 30.4 | 0.133 | nothing |
| 366 | 173 | 30.4 | 0.135 | match no longer falls |
| 366 | 176 | 30.0 | 0.155 | D's rate 4e-4 |
| 366 | 176 | 30.8 | 0.152 | D's rate 2e-4 |
| 366 | 176 | 30.6 | 0.130 | the heads learn twice from each batch |
| 366 | 177 | 31.2 | 0.121 | moments averaged over four times as many batches |
| 366 | 173 | 30.1 | 0.148 | those, D's rate 4e-4, G averaged over four times as many images |
| 420 | 172 | 30.8 | 0.166 | the same run |
| 372 | 168 | 29.1 | 0.137 | the values of ``modern-gpu``: batches of 128, G at 6e-4, not 2e-4 |
| 420 | **162** | 27.8 | 0.160 | the same run |
| 366 | 177 | 30.8 | 0.138 | D's hinge of each place of a head's map, not of their mean |
| 366 | 178 | 31.2 | 0.139 | that, and a non-saturating loss of G (softplus) |
| 366 | **124** | 14.9 | 0.216 | **D looks at images 1.5 times as large** |

So it was what D sees that held the faces back, and neither its loss nor its pace: at 64 pixels the
frozen network, which learnt from 224, is nearly blind. (Without, runs at 64 px stayed 60 behind
those at 96.) Longer averages and slower heads, which larger batches bring along, did nothing
without the batch; the batch without them was not tried.

Batches of 64 from 116 kimg on (``--batch-kimg 116``, by hand), from the start of such a run: 201 at
116 kimg, 184 at 166 (KID 31.9, recall 0.078) and **175 at 232** (KID 30.1, recall 0.105). The run
in batches of 32 had 193 at 166 (KID 33.0, recall 0.069), 179 at 322 and 175 at 366. One run each;
how it goes on in batches of 128 is not known yet.

The averaged G draws with averaged statistics of its batch norm, which are those of G. With its own
(of 2,048 images) the snapshot of 111 at 410 kimg has 112, and with those of each batch, of 32 or
128, 112 too.

Leaving out the quarter of the faces that are least likely by a Gaussian of Lite0's pooled features
(instance selection, arXiv 2007.15255) was not run: most likely are pale faces, least likely vivid
ones, and by eye neither are better drawn.

Scaling the first layer's features of the box before that one by 0.8 (truncation): 152 and not 117,
precision 0.716 and not 0.778, recall 0.219 and not 0.242.

Learning rates were 4e-4 above the first 8e-4, and 8e-4 below it, where nothing else is said.
A setting that changed within a run was changed by hand in the ``settings.json`` of a copy of it.

Why G slows down: at 147 kimg of the run of averaged moments the hinge loss of D was 1.50, and 0.62
when its heads went on for 72 steps while G stood still; at 2e-4 and at 3e-3 nearly as at 8e-4, and
new heads with batch norm, of 64 or 128 channels, ended above 1.0. The heads are not too small; G
moves before they can follow. With G at 3e-4 the loss stays at 1.40, and the faces get better.

Why covariances: at 424 kimg of the run of 130, 35 of them were of means and 95 of covariances, and
the frozen network's own features, pooled, showed gaps that their random mixture did not (tap 2:
0.083 of the trace of the reals, where two halves of the reals are 0.035 apart).

Why small shifts and octaves: all faces shared lines of hair and frames of eyes. The mean of 1,000
images had 34 of fine detail at 200 kimg of the run of 123 (``spectrum.py``), that of reals has 14.
D saw each image shifted by up to 12 pixels each way, and the moments of each place were taken of
those. After 600 CPU s it was 48 with these shifts, 31 with shifts of 3 pixels, 19 with octaves too.

The half-life of the averaged G, all in one run of 30 kimg from 208 kimg on: distance 195, 188, 189,
190 and 190 (KID 17.3, 19.0, 21.1, 21.5 and 21.3) with 2.5, 5, 10, 15 and 20 kimg; G itself 285.
"""

import argparse
import json
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from animegan_cli.checkpoints import load_snapshot
from animegan_cli.errors import Interrupted
from animegan_cli.reporting import NullReporter
from animegan_cli.run_dir import RunDir
from animegan_cli.scoring import evaluate_against_real
from animegan_cli.settings import Settings
from animegan_cli.sources import Layer, resolve
from animegan_cli.training_loop import train


class Budget(NullReporter):
    """Asks the run to stop, as Ctrl-C would, when its CPU time is spent."""

    end = 0.0

    def tick(self, stats: Mapping[str, Any]) -> None:
        if time.process_time() >= self.end:
            os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("faces", type=Path)
    parser.add_argument("holdout", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, nargs="+", default=[5, 15, 30, 60])
    parser.add_argument("--kimg", type=float, nargs="+", default=[])
    parser.add_argument("--set", dest="fields", nargs="*", default=[], help="recipe=modern seed=1")
    parser.add_argument("--n", type=int, default=1000)
    options = parser.parse_args()
    given = dict(field.split("=", 1) for field in options.fields)
    fixed = {"data": options.faces, "run": options.out, "threads": 1, "tick_kimg": 2}
    settings = resolve([Layer("benchmark", {**given, **fixed})]).settings
    clock = time.perf_counter if options.kimg else time.process_time
    unit = "sec" if options.kimg else "cpu_sec"
    print(f"{unit:<8} kimg    frechet  kid     precision  recall  coverage", flush=True)
    budget, spent_scoring = Budget(), clock() if options.kimg else 0.0
    for amount in options.kimg or options.minutes:
        if options.kimg:
            reached = train(settings.model_copy(update={"total_kimg": amount})).snapshot
        else:
            budget.end = amount * 120 + spent_scoring
            reached = trained_until(budget, settings)
        seconds = clock() - spent_scoring
        began = clock()
        scores = score(reached, settings, options.holdout, options.n)
        spent_scoring += clock() - began
        row = {unit: round(seconds), "kimg": load_snapshot(reached).cur_nimg / 1000}
        with (options.out / "quality.jsonl").open("a") as rows:
            rows.write(json.dumps({**row, **vars(scores)}) + "\n")
        print(
            f"{row[unit]:<8} {row['kimg']:<7.1f} {scores.frechet or 0:<8.1f} {scores.kid:<7.1f} "
            f"{scores.precision:<10.3f} {scores.recall:<7.3f} {scores.coverage:.3f}",
            flush=True,
        )


def trained_until(budget: Budget, settings: Settings) -> Path:
    """Train until the budget is spent, then write the snapshot of that moment."""
    assert settings.run is not None
    run = RunDir(settings.run)
    try:
        return train(settings.model_copy(update={"total_kimg": 1e6}), budget).snapshot
    except Interrupted:
        reached = int(run.states()[-1].stem.removeprefix("state-"))
        return train(settings.model_copy(update={"total_kimg": reached / 1000})).snapshot


def score(snapshot: Path, settings: Settings, holdout: Path, n: int) -> Any:
    """Return the scores of what a snapshot draws."""
    scored = settings.model_copy(update={"real": holdout, "eval_n": n, "run": None})
    device = torch.device("cpu")
    return evaluate_against_real(scored, load_snapshot(snapshot), device, NullReporter()).yours


if __name__ == "__main__":
    main()
