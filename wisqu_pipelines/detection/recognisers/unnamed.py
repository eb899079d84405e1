"""Files and documents that nobody gave a name."""

from wisqu_pipelines.detection.evidence import FieldKind
from wisqu_pipelines.detection.recogniser import SHORT, STRONG, WEAK, Recogniser, only_in

_END = r"(?: (?:(?:copy|final|v)? ?[0-9]+|copy))*(?: (?:pdf|docx?|odt|txt|md|xlsx?|pptx?|png|jpe?g|csv|rtf|zip))? $"

GROUP = "unnamed"
RECOGNISERS = (
    Recogniser(
        "untitled",
        ("^ (?:محادثه|گفتگوی?|سند|ملف|مستند|فایل)? ?(?:بدون|بلا|بی) عنوان(?: (?:نسخه|کپی))?(?: [0-9]+)? $", f"^ (?:untitled|unnamed|no title|no name|noname|unbenannt|sans titre|بدون عنوان|بی عنوان|بی نام|بدون نام|دون عنوان|بلا عنوان)(?: (?:document|doc|file|folder|spreadsheet|presentation|design|image|conversation|chat|سند|مستند|ملف))?{_END}",),
        STRONG,
        "what programs call something that has no name yet",
        ("Untitled", "untitled (3).docx", "Untitled document", "بدون عنوان", "بدون عنوان ۲.docx"),
        ("Untitled: a poem by Rumi", "unnamed prophets", "بی نام و نشان"),
        {FieldKind.PROSE: WEAK},
    ),
    Recogniser(
        "new_document",
        (f"^ (?:new|neues|nouveau) (?:microsoft )?(?:text |word |excel |rich text )?(?:document|doc|file|folder|spreadsheet|presentation|page|bitmap image|project|worksheet|workbook){_END}",
         f"^ (?:سند جدید|فایل جدید|پوشه جدید|مستند جدید|ملف جدید|مجلد جدید){_END}"),
        STRONG,
        "what programs call a file that was just made",
        ("New Document (2)", "New Text Document.txt", "new folder 3", "سند جدید", "مستند جديد ١"),
        ("New documents from the archive", "A new page in history", "ملف جديد عن الزكاة"),
        {FieldKind.PROSE: WEAK},
    ),
    Recogniser(
        "copy_of_nothing",
        (" کپی از (?:کپی|بدون نام|بدون عنوان) ", " نسخه من (?:نسخه|بدون عنوان|بلا عنوان|ملف جدید) ", " copy of (?:copy of|untitled|new document|unnamed) "),
        STRONG,
        "a copy of something without a name",
        ("کپی از بدون عنوان", "نسخة من بدون عنوان (2)", "Copy of Untitled document"),
        ("کپی از قرآن", "نسخة من القرآن", "Copy of the Quran"),
        {FieldKind.PROSE: WEAK},
    ),
    Recogniser(
        "copies_of_copies",
        (" (?:copy|kopie) (?:of )?(?:copy|kopie) ", " copy [0-9]+ copy ", "^ (?:copy|copy of|copy [0-9]+)(?: (?:pdf|docx?|txt))? $"),
        0.5,
        "a copy of a copy, or of nothing",
        ("copy of copy of notes.docx", "Copy.pdf", "copy 2 copy.txt"),
        ("Copy of Nahj al-Balagha.pdf", "copyright", "hard copy of the book"),
        only_in(FieldKind.FILENAME, FieldKind.TITLE),
    ),
    Recogniser(
        "program_name",
        ("^ (?:document|doc|presentation|workbook|book|spreadsheet|sheet|drawing|image) ?[0-9]{1,2}(?: (?:docx?|odt|xlsx?|pptx?))? $",),
        STRONG,
        "what programs call the first file of a session",
        ("Document1.docx", "Presentation2.pptx", "Book1.xlsx"),
        ("Book 1 of the Kafi", "Document 1985", "Sheet music"),
        only_in(FieldKind.FILENAME),
    ),
    Recogniser(
        "only_a_number",
        ("^ [0-9]{1,3}(?: (?:pdf|docx?|txt|md|jpg|png))? $",),
        WEAK,
        "a number instead of a name",
        ("1.pdf", "12", "003.txt"),
        ("1985 diary.pdf", "2024"),
        only_in(FieldKind.FILENAME, FieldKind.PERSON, FieldKind.TITLE),
    ),
    Recogniser(
        "nothing_to_read",
        ("^ $",),
        WEAK,
        "there is no letter and no digit in it",
        ("---", "???", "…"),
        ("a", "؟ چرا"),
        only_in(*SHORT),
    ),
)  # fmt: skip
