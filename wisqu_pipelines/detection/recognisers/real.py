"""What only seems to be test data: phrases in which the words of testers are everybody's. Their weights are negative."""

from wisqu_pipelines.detection.evidence import FieldKind
from wisqu_pipelines.detection.recogniser import Form, Recogniser, only_in

GROUP = "real_phrases"
_LESS = -0.6
RECOGNISERS = (
    Recogniser(
        "sciences_and_sports",
        (" (?:abrahams?|ibrahims?|abraham s|job s|satans?|lords?|blood|urine|dna|rna|pcr|covid|hiv|pregnancy|paternity|genetic|medical|lab|laboratory|hearing|eye|vision|skin|allergy|stress|driving|driver s|road|school|entrance|language|iq|intelligence|personality|aptitude|literacy|citizenship|drug|doping|breath|screening|diagnostic|nuclear|missile|atomic|acid|litmus|turing|beta|statistical|hypothesis|chi square|t|significance|spot|field|flight|crash|taste|virginity|fitness|practice|sat|ielts|toefl|gre|placement|multiple choice|final|written|oral) tests? ",
         " tests? (?:cricket|match|matches|tube|tubes|pilot|flight|drive|kitchen|score|scores|anxiety|theory|statistic|prep|preparation|results?|bank|banks|ban|site|takers?|of (?:time|patience|abraham|ibrahim|job|god|allah|character|belief|love|loyalty|fire|strength|sincerity|significance|the (?:heart|soul|spirit|believers?|faith|lord|prophets?|companions|ummah|age|century|grave|devil|ages?))) ",
         " (?:put to|stood|stand|stands|pass|passed|passes|failed|fail|fails|took|take|taking|takes|sat) (?:the|a|his|her|their|your|this|that|every)? ?(?:[a-z]+ )?tests? ", " crash test ", "^ testing? (?:times|your|yourself|the spirits|faith|god|patience|believers?|the believers|dna|blood|for (?:covid|hiv|drugs|pregnancy|diabetes|gold|purity)|and|in (?:islam|the quran|schools)|of) ", " tests? (?:for|positive|negative|you|us|him|them|his|her|our|your|their) ", " (?:god|allah|he|lord|they|we|will|to|may|can|should|must|did|does) tests? "),
        _LESS,
        "a test of bodies, schools, faith or sports",
        ("blood test", "Test cricket", "the test of time", "He passed the test"),
        ("test user", "login test"),
    ),
    Recogniser(
        "question",
        (r"^(?:is|are|can|may|what|how|why|should|must|who|when|where|am|whose|if|suppose)\s.*[?؟]\s*$", r"^(?:ایا|چرا|چگونه|چطور|حکم|نظر|اگر|هل|ما|ماذا|کیف|متی|لماذا|من|این|ما هو)\s.*[?؟]\s*$"),
        -0.5,
        "somebody asks something of the scholars",
        ("Is software testing a halal job?", "آیا تست خون روزه را باطل می‌کند؟", "هل يجوز اختبار الدم؟"),
        ("does this work?", "Testing. Is it up?"),
        only_in(FieldKind.PROSE, FieldKind.TITLE),
        Form.TEXT,
    ),
    Recogniser(
        "samples_and_examples",
        (" for example ", " (?:an?|the|good|bad|best|perfect|shining|noble|great|another|prime|his|her|their|our|set an|follow the|following the) examples? (?:of|for|to|is|was|set|in) ", " example (?:of|for|is) ", " examples of ", " sample (?:size|sizes|sermon|sermons|contract|letter|questions?|exam|exams|paper|survey|mean|variance|space|of|taken|collection) ", " (?:random|free|blood|soil|urine|representative|water|tissue|dna|hair|fabric) samples? ", " samples? of "),
        _LESS,
        "an example or a sample of something",
        ("for example", "sample size", "an example of patience", "free samples"),
        ("example user", "sample doc 3"),
    ),
    Recogniser(
        "demos_and_dummies",
        (" demo (?:flat|home|album|track|recital|teaching|farm|kit|lecture|kitchen) ", " (?:cooking|teaching|cookery|product) demos? ", " dummy (?:pills?|companies|company|corporations?|load|bomb|head|of|child|baby|bids?|buyers?) ", " placeholder (?:engagement|rings?|names?|date|god|president|imam|government|king|ruler|caliph|variables?) ", " (?:children s|kids|play|playing in the|regulatory|fintech) sandbox ", " sandbox (?:games?|play|tree|toys?|regulation) ", " (?:light|lighting|football|match|season|bathroom|plumbing|league|ceiling) fixtures? ", " fixtures? (?:list|lists|of (?:the|our|this|every|life)) ", " (?:demo) (?:tape|tapes|version of|day|song|songs|class|lesson|recording|recordings|reel) ", " (?:political|student|peace|anti war|street|protest) demo ", " dummy (?:variables?|pronoun|run|corporation|bullet) ", " (?:crash test|ventriloquist s|for) dumm(?:y|ies) ", " temp (?:agency|work|worker|job|staff) ", " placeholder (?:names in|noun|in grammar) ", " mock (?:trial|exam|exams|court|turtle|election|wedding|orange) ", " fake (?:news|miracles?|hadiths?|prophets?|sheikhs?|gold|medicine) ", " todo (?:list|el|o|lo|es|esta) "),
        _LESS,
        "a word of testers in a phrase that is everybody's",
        ("demo tape", "dummy variable", "temp agency", "mock exam", "fake news"),
        ("demo user", "dummy data"),
    ),
    Recogniser(
        "about_tests",
        (" (?:history|theory|art|psychology|ethics|ruling|rulings|law|laws|chapter|book|textbook|introduction|guide|handbook|manual|principles|methods|science|philosophy|rulings on|ruling on) .*(?:test|tests|testing|sample|example|demo|placeholder|lorem|qwerty|dummy|fake|mock) ",
         " (?:test|tests|testing|sample|example|placeholder|lorem ipsum|qwerty|dummy|fake|mock) .*(?:history|theory|ethics|ruling|rulings|law|keyboard|layout|typography|grammar|cricket|psychology|explained|meaning|origins?) "),
        -0.35,
        "something is said about tests, with words of another world",
        ("Ruling on the blood test", "QWERTY keyboard history", "The theory of tests"),
        ("test user", "my demo"),
    ),
    Recogniser(
        "about_filling_text",
        (" (?:history|origins?|meaning|source|story|essay|cicero|finibus|typograph[a-z]*|typesett[a-z]*|printers?) (?:[^ ]+ )*lorem ", " lorem (?:[^ ]+ )*(?:history|origins?|meaning|cicero|finibus|dolorem|latin|typograph[a-z]*|typesett[a-z]*|explained) "),
        -1.4,
        "something is said about the text that fills pages",
        ("Lorem ipsum: the history of a dummy text", "the origin of lorem ipsum", '"Lorem ipsum" is cut from "dolorem ipsum" in Cicero'),
        ("lorem ipsum dolor sit amet", "lorem ipsum page 2"),
    ),
    Recogniser(
        "questions_and_answers",
        (" qa (?:[a-z]+ )?(?:answers?|questions?|pairs?|archive|corpus|bank|fiqh|fatwas?) ", " (?:fiqh|fatwas?|islamic|quran|hadith|rulings?|sharia) qa "),
        -2.2,
        "qa stands for questions and answers",
        ("qa_answers", "qa_farsi_answers", "fiqh-qa"),
        ("qa test", "qa_user", "qa-12"),
        only_in(FieldKind.IDENTIFIER, FieldKind.FILENAME, FieldKind.TITLE),
    ),
    Recogniser(
        "tester_by_profession",
        (" (?:i am|i m|i work as|works as|working as|job as|my (?:son|daughter|husband|wife|brother) is) (?:an? )?(?:qa|quality assurance|software test|test|software quality) (?:engineer|analyst|manager|lead|tester|automation engineer) ", " (?:for a living|my salary|my job|my income|my profession|my employer|my company|i work (?:in|for|at|as)) ", " (?:برنامه ?نویسم|برنامه نویس هستم|مهندس نرم افزار|شغلم|شغل من|تستر هستم|تستر نرم افزارم|کار من|حقوقم|درامدم|درامدش|حقوقش) ", " (?:راتبی|مهنتی|وظیفتی|دخلی|اعمل (?:فی|مهندسا|لدی)|عملی) "),
        -1.2,
        "somebody says that testing is a profession",
        ("I am a QA engineer", "my wife is a test engineer"),
        ("the QA engineer made this", "I am the QA user"),
        only_in(FieldKind.PROSE, FieldKind.TITLE),
    ),
    Recogniser(
        "persian_real",
        (" (?:تفسیر|مدرسه|دبیرستان|معلم|استاد|دانشجوی|دانش اموز|کارمند|مادر|پدر|همسر|زن|مرد|شهید|الگو و|انسان|خانواده|جامعه|مسجد|شهر|روستای|کشاورز|پژوهشگر) نمونه ",
         " نمونه (?:سوال|سوالات|قرارداد|های|ای از|کار|کارها|خون|برداری|گیری|اشعار|دولتی|ادعیه|نامه|دعا|خطبه|متن های|انشا|شعر|پایان نامه|فرم|بارز|عملی|عینی) ", " (?:ازمایش|ازمایش های) (?:خون|ادرار|الهی|پزشکی|ژنتیک|سخت|بزرگ|علمی|هسته ای|موشکی|شیمی|فیزیک|قلب|بارداری|خدا|خداوند|ابراهیم|ها|و) ", " (?:تست) (?:ژنتیک|ژنتیکی|ژن|پزشکی|نسب|ابوت|سلامت|ادرار|بکارت|دوپینگ|مزاج|قلب|ریه|رورشاخ|استخدامی|تشریحی|کنکوری|چهارگزینه ای|ایلتس|تافل|خودشناسی|ازدواج|ضریب|ایمان|صداقت|دروغ|مواد|غربالگری|عربی|دینی|فیزیک|شیمی|ریاضی|ادبیات|بیماری|ایدز|سل|هپاتیت|خودرو|رایگان کنکور|بارداری|کرونا|کنکور|هوش|خون|های کنکور|ورزش|شخصیت|روانشناسی|پی سی ار|اعتیاد|دی ان ای|رانندگی|زبان|زنی|پاپ|قند|سرطان|الکل|حساسیت|تنفس|ورزشی|روان|های|ورودی|حافظه|مثبت|منفی) ",
         " (?:امتحان|ازمون) (?:الهی|سراسری|نهایی|زبان|دینی|بزرگ|سخت|پایان|ورودی|استخدامی|حوزه|خدا|ها|های) ", " (?:کتاب|بانک|مجموعه|پاسخ|حل|نتیجه|جواب|حکم|نمره|روش) (?:تست|تست های) ", " (?:سوال|سوالات|پرسش های|ازمون|کنکور|نمونه سوالات|به صورت) تستی ", " (?:روانشناسی|علوم|علم|روش|مدرسه|مدارس|کار|برنامه|مرحله|نیروگاه|رحم|شیعه|تولید|کشت) ازمایشی ", " (?:دوره|طرح|انتشار|پخش|اجرای|پرواز|پروازهای|به صورت|بطور|به طور|بصورت|گروه|گروه های|کنکور|ازمون|ازمون های|سوالات|ازدواج|مدت|قرارداد|استخدام|قانون|قوانین|مزرعه|واکسن|داروی|درمان|موش|موش های|حیوانات|موشک|جراحی|رژیم|روش های|یافته های|پژوهش|مطالعه|شعر|تیاتر|سینمای|فیلم|رمان|موسیقی) ازمایشی ", " ازمایشی (?:علوم|ریاضی|زبان|هنر|تجربی|انسانی|خودرو|بودن) "),
        _LESS,
        "a Persian phrase in which the word is real",
        ("تفسیر نمونه", "نمونه سوالات", "آزمایش خون", "تست بارداری", "آزمایش الهی"),
        ("کاربر آزمایشی", "تست آپلود"),
    ),
    Recogniser(
        "arabic_real",
        (" (?:ال)?اختبار(?:ات)? (?:ال)?(?:ایمان|تحدید|الهی|الله|من الله|نهایه|صف|قبول|شهریه|قدرات|تحصیلی|حمل|دم|ذکاء|لغه|فصل|صبر|القدرات|الایمان|الصبر|الدم|الحمل|مدرسی|الرب) ", " (?:ال)?تجربه (?:ال)?(?:شخصیه|صوفیه|دینیه|روحیه|حیاتیه|عملیه|انسانیه|علمیه|حج|ناجحه|فریده|مع|فی|مریره|من) ", " (?:ال)?عینه (?:ال)?(?:دم|دراسه|بحث|عشوائیه|بول|الدم) ", " (?:علی سبیل|خیر|ابرز|اوضح|اروع|هذا) (?:ال)?مثال ", " مثال (?:علی|ذلک|لذلک|من|عن) ",
         " (?:ال)?نموذج (?:من|ل|رسول|النبی|عقد|اجابه|اختبار|خطبه|السیره) ", " (?:ال)?(?:عالم|علم|منهج|بحث|دراسه) (?:ال)?تجریبی(?:ه)? ", " (?:قوه|عالم|شرکات|اخبار|معاملات|عقود|بیع|شرکه|زواج) (?:ال)?وهمی(?:ه)? ", " (?:دراسه|بحث|مشروع|مرحله|علوم|علم|امتحان|امتحانات|اسئله|بحوث|دراسات|معرفه|فلسفه|مدرسه|مدارس|طبعه|لقاح|لقاحات|علاج|علاجات|دواء|ادویه|عقار|مسرح|سینما|روایه|ادب|فیزیاء|حیوانات|بث|تشغیل|زراعه|محطه|فتره|جراحه|طب|کلیه|فصل|فصول|تدریس|ادله|نزعه|مذهب|عقل) (?:ال)?تجریبی(?:ه)? "),
        _LESS,
        "an Arabic phrase in which the word is real",
        ("اختبار الإيمان", "تجربة شخصية", "عينة الدم", "على سبيل المثال", "المنهج التجريبي"),
        ("ملف تجريبي", "مستخدم تجربة"),
    ),
)  # fmt: skip
