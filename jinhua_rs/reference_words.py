"""What the reference pages say that no type can say: Chinese meanings, columns, layers, states."""

from collections.abc import Mapping

from jinhua_rs.schema import Status

__all__ = ["COLUMNS", "KEYS", "LAYERS", "SECTIONS", "STATUSES"]

Words = Mapping[str, tuple[str, str]]
"""Name to its meaning in English and in Chinese."""

SECTIONS: Mapping[str, str] = {
    "area": "范围与格网",
    "time": "时段",
    "stac": "影像来源",
    "atlas": "参考图来源",
    "mask": "云掩膜",
    "composite": "合成",
    "certificate": "影像证书",
    "model": "模型",
    "reference": "参考样本",
    "interpretation": "样本判读",
    "layers": "专题图层",
    "gates": "发布门限",
    "targets": "规划目标",
    "run": "运行",
    "cluster": "计算集群",
    "output": "输出",
    "report": "报告",
}
"""Chinese name of each section of the configuration."""

KEYS: Mapping[str, str] = {
    "area.units": "统计单元图层；留空为内置的金华九县（市、区）",
    "area.code_field": "单元代码字段，取值唯一",
    "area.name_field": "单元名称字段",
    "area.level_field": "级别字段（city/county/township/zone）；留空则均视为县级",
    "area.check_datum": "与内置市界比对，以发现 GCJ-02 偏移",
    "area.crs": "格网的投影坐标系，面积在其中量算",
    "area.resolution": "像元边长，米",
    "area.tile_size": "瓦片边长，像元；瓦片是作业单位",
    "time.baseline": "对比的基准时段，须为同一季节；留空则不比较",
    "stac.profile": "`stac/profiles` 中的文件名",
    "stac.url": "API 根地址，或含 `catalog.json` 的文件夹；留空用数据源自带地址",
    "stac.collection": "集合名；留空用数据源自带的集合",
    "stac.max_cloud": "云量高于此值的影像弃用，百分比",
    "stac.timeout_s": "等待 API 一次应答的秒数",
    "stac.retries": "请求失败后重试的次数",
    "stac.allowed_roots": "允许读取影像的本地文件夹；其他位置一律拒绝",
    "stac.allowed_hosts": "除数据源自带主机外，允许读取影像的主机",
    "atlas.url": "API 根地址，或含 `catalog.json` 的文件夹；留空用各参考图自带地址",
    "composite.bands": "参与合成的规范波段；须包含模型训练时所用波段",
    "composite.method": "`geomedian` 保持真实光谱；`median` 逐波段取中值，较省时",
    "composite.min_clear": "晴空观测次数少于此值的像元留空",
    "composite.widen_below": "本期晴空观测少于此数的像元，可借用时段前后的观测",
    "composite.widen_days": "可借用的前后天数，借用者另有标记；0 为不借用",
    "composite.season": "只用一年中的这段日子，首尾两日，如 `10-01`、`12-31`；留空为全部",
    "composite.screen_mads": "偏离像元中值超过此倍数离差的观测予以剔除；0 为不剔除",
    "composite.engine": "`compiled` 为自编内核；`library` 为 GDAL、geomad、NumPy，较慢，结果一致",
    "mask.source": "`scl` 为 Sen2Cor 场景分类；另一种须安装 `clouds` 附加包",
    "mask.opening_m": "窄于此值两倍的云斑视为亮屋顶等误判，米",
    "mask.buffer_m": "云和云影向外扩展的距离，米",
    "mask.dem": "高程 GeoTIFF，米；据此在地形阴影处剔除 SCL 第 2 类",
    "certificate.check": "使用前逐景实测辐射偏移、配准与场景分类",
    "certificate.max_shift_px": "相对同幅其他影像可容忍的位移，10 米像元",
    "model.file": "已存模型的文件夹；留空则由 `samples` 训练",
    "model.samples": "样本点图层，含 `class`（代码）和／或 `canopy`（0–1）字段",
    "model.period": "样本所属时段；留空为基准时段，无基准则为本时段",
    "model.seed": "随机森林与空间分块的随机种子",
    "model.block_m": "整块留出的空间块边长，米",
    "model.trees": "随机森林的树数",
    "reference.file": "独立参考样本点图层，含 `point`、`period`、`canopy`（0–1）字段",
    "interpretation.city_points": "规划样本量时全市 95% 区间的目标半宽，百分点",
    "interpretation.county_points": "各县（市、区）的目标半宽，百分点",
    "interpretation.accuracy_forest": "预期的林木覆盖用户精度",
    "interpretation.accuracy_other": "预期的其他土地用户精度",
    "interpretation.allocation": "`proportional` 按面积分配；`neyman` 按面积×离散度分配，样点较少",
    "interpretation.minimum": "每层最少样点数，稀少类别亦然",
    "interpretation.buffer_px": "变化分层：制图变化周围单列一层的宽度，像元",
    "interpretation.second_share": "由第二人复判的样点比例，不低于 20%",
    "interpretation.first_reader": "第一判读人姓名，印在判读表上；留空则手填",
    "interpretation.second_reader": "第二判读人姓名",
    "interpretation.kappa_floor": "两人判读 κ 系数低于此值时拒收",
    "layers.townships": "乡镇（街道），名称字段为 `name`、`name_zh`、`XZQMC` 或 `乡镇`",
    "layers.basic_farmland": "永久基本农田；其上不得造林",
    "layers.red_line": "生态保护红线",
    "layers.reserves": "自然保护地",
    "layers.parcels": "造林上报地块",
    "layers.permits": "林木采伐许可",
    "layers.mines": "矿山",
    "gates.min_clear_share": "单元面积中须有晴空观测的最低占比",
    "gates.max_failed_assets": "一个时段中允许读取失败的影像占比",
    "targets.value": "规划原文中的数值",
    "targets.unit": "单位，如 `%` 或 `万亩`",
    "targets.source": "出处文件与原文",
    "targets.deadline": "完成年份或日期；留空表示全程",
    "targets.alternative": "同一数值的另一种读法，用于原文疑似笔误之处",
    "run.workers": "工作进程数；0 为每核一个，1 在本进程内运行",
    "run.memory_gib": "每个工作进程的内存上限，GiB",
    "cluster.kind": "`local` 本机，`slurm`，或已在运行的 Dask 调度器地址 `tcp://主机:端口`",
    "cluster.queue": "Slurm 分区；留空用集群默认",
    "cluster.jobs": "保持运行的 Slurm 作业数",
    "cluster.cores": "每个作业的核数，一核一个工作进程",
    "cluster.memory_gib": "每个工作进程的内存，GiB",
    "cluster.walltime": "作业时限 `时:分:秒`；工作进程在此之前退役",
    "cluster.interface": "调度器与工作进程之间的网卡，如 `ib0`；留空用默认",
    "cluster.prologue": "作业开头执行的命令行，如 `module load python`",
    "cluster.directives": "作业的其他 Slurm 选项，如 `--account=forest`",
    "cluster.task_minutes": "单个任务的时限（分钟），超时即中止其工作进程，三次后放弃；0 为不限",
    "cluster.wait_s": "调度器无工作进程时最多等待的秒数；Slurm 排队不限",
    "cluster.skip_directives": "本集群不接受的 Slurm 选项，如 `--mem`",
    "output.root": "成果根目录，每个时段一个子目录",
    "report.languages": "图件所用语言",
    "report.area_name": "全域英文名称",
    "report.area_name_zh": "全域中文名称",
    "report.label": "印在每页和每个文件上的标记（英文），如模拟数据标记",
    "report.label_zh": "同一标记（中文）",
    "report.credits": "除程序已知者外，须随成果署名的数据来源",
    "report.simulated": "模拟数据为 true：所有成果均带标记",
}
"""Chinese meaning of each key of the configuration."""

COLUMNS: Words = {
    "period": ("period, `2024Q4`", "时段"),
    "unit": ("code of the reporting unit", "统计单元代码"),
    "indicator": ("name of the indicator", "指标名"),
    "value": ("the number; empty where data are insufficient", "数值；数据不足时为空"),
    "low": ("lower end of the 95 % interval; empty without one", "95% 置信区间下限；无则为空"),
    "high": ("upper end of the 95 % interval", "95% 置信区间上限"),
    "measure": ("unit of measure", "计量单位"),
    "status": ("what may be done with the number, see below", "数值可作何用，见下表"),
    "n_clear_share": ("share of the unit's area seen clear, 0-1", "单元面积中晴空观测的占比"),
    "source": ("what the number was made from", "数值的由来"),
}
"""Columns of the indicator table."""

STATUSES: Words = {
    Status.OK: ("estimate with its interval; may be judged", "有区间的估计值，可据以判定"),
    Status.NO_INTERVAL: ("map count, context only, never judged", "像元统计，仅供参考，不作判定"),
    Status.INSUFFICIENT: ("too little was seen; no number", "数据不足，不给数值"),
}
"""States of an indicator row."""

LAYERS: Mapping[str, Words] = {
    "Training samples (`[model] samples`) 训练样本": {
        "class": ("land-cover code, 0 or empty = not known", "地类代码，0 或空为未知"),
        "canopy": ("canopy cover 0-1, empty = not known", "林冠覆盖度 0–1，空为未知"),
        "geometry": ("point, any CRS that is stated", "点，须声明坐标系"),
    },
    "Reference sample (`[reference] file`) 参考样本": {
        "point": ("name of the point, once a period", "样点编号，同一时段内唯一"),
        "period": ("period it was judged for, `2024Q4`", "判读所属时段"),
        "canopy": ("canopy cover judged 0-1, empty = not judged", "判读的林冠覆盖度，空为未判读"),
        "geometry": ("point of a probability sample", "概率抽样的样点"),
        "stratum": ("stratum it was drawn from, if the design is known", "抽样分层（已知设计时）"),
        "design": ("id of the design", "抽样设计编号"),
        "table strata": (
            "`design`, `unit`, `stratum`, `area_m2`: with it the strata are those of the design",
            "`strata` 属性表；有此表时按设计的分层与面积估计",
        ),
    },
    "Reporting units (`[area] units`) 统计单元": {
        "code": ("1-32 letters, digits, `_`, `-`; unique", "1–32 位字母、数字、`_`、`-`，唯一"),
        "name_zh": ("name", "名称"),
        "level": ("city, county, township or zone", "city、county、township 或 zone"),
        "geometry": ("polygon, any CRS that is stated; may overlap", "面，须声明坐标系，可重叠"),
    },
}
"""Layers that people supply, by title."""
