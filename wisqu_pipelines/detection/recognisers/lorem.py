"""Filling text."""

from wisqu_pipelines.detection.evidence import FieldKind
from wisqu_pipelines.detection.recogniser import CERTAIN, LIKELY, STRONG, Recogniser

GROUP = "lorem_ipsum"
RECOGNISERS = (
    Recogniser(
        "lorem_ipsum_passage",
        ("^ lorem ipsum dolor sit amet ", " lorem ipsum dolor sit amet .* lorem ipsum dolor sit amet ", " lorem ipsum dolor sit amet (?:consectetu?r|consetetur) (?:adipisc?ing|sadipscing) elit[a-z]* "),
        CERTAIN,
        "the passage that fills pages before there are words",
        ("Lorem ipsum dolor sit amet, consectetur adipiscing elit", "text: lorem ipsum dolor sit amet consectetur adipiscing elit sed"),
        ("Lorem ipsum comes from Cicero's De finibus", "dolor sit in the hand"),
    ),
    Recogniser(
        "lorem_ipsum",
        (" lorem ipsum ", " dolor sit amet ", " lorem 1? ?ipsum ", " lorem ipsum .* lorem ipsum "),
        LIKELY,
        "words of the passage that fills pages",
        ("My lorem ipsum document", "dolor sit amet"),
        ("Lorena", "ipso facto"),
        {FieldKind.PROSE: 0.5, FieldKind.PERSON: STRONG, FieldKind.FILENAME: STRONG, FieldKind.TITLE: STRONG},
    ),
    Recogniser(
        "lorem_ipsum_tail",
        (" (?:consectetur|consectetuer) adipiscing elit ", " sed do eiusmod tempor incididunt ", " ut labore et dolore magna aliqua ",
         " duis aute irure dolor ", " ut enim ad minim veniam ", " quis nostrud exercitation ", " nisi ut aliquip ", " velit esse cillum ", " culpa qui officia ", " excepteur sint occaecat ", " nunc vel felis ", " vestibulum ante ipsum primis ", " pellentesque habitant morbi "),
        STRONG,
        "more of the passage that fills pages",
        ("sed do eiusmod tempor incididunt", "Duis aute irure dolor in"),
        ("labore et constantia", "sint et alii"),
        {},
    ),
    Recogniser(
        "lorem_in_other_scripts",
        ("^ لورم ایپسوم متن ", " لورم ایپسوم متن ساختگی با ", "^ لورم ایپسوم(?: [0-9]+| متن)? $", "^ لوریم (?:ایبسوم|ابسوم|ایپسوم)(?: [0-9]+)? $", " lorem ipsum dolor سیت ", " هذا النص هو مثال لنص ", " متن ساختگی با تولید سادگی ", " چاپگرها و متون بلکه روزنامه و مجله ", " شصت و سه درصد گذشته ", " شناخت فراوان جامعه و متخصصان ", "^ لوریم (?:ایبسوم|ابسوم|ایپسوم) ", " نص شکلی (?:یستخدم|بمعنی|الا ) ?"),
        STRONG,
        "the passage that fills pages, in Persian or Arabic",
        ("لورم ایپسوم متن ساختگی", "هذا النص هو مثال لنص يمكن أن يستبدل"),
        ("لورستان", "هذا مثال"),
    ),
)  # fmt: skip
