# yours: the schema of a row. Training validates data with it, the API documents it, and tests draw rows from it.
"""The schema of one row of data, as pandera checks it."""

import pandera.pandas as pa


class Schema(pa.DataFrameModel):
    """One row of training data; a request to the model has the same columns without the target."""

    class Config:
        """Columns that the schema does not name are refused; values are coerced to the types below."""

        strict = True
        coerce = True

#% if cookiecutter.task == "classification"
    sample_id: str = pa.Field(unique=True)
    mean_radius: float = pa.Field(gt=0, lt=100)
    mean_texture: float = pa.Field(gt=0, lt=100)
    mean_perimeter: float = pa.Field(gt=0, lt=1000)
    mean_area: float = pa.Field(gt=0, lt=10000)
    mean_smoothness: float = pa.Field(gt=0, lt=1)
    mean_compactness: float = pa.Field(gt=0, lt=5)
    mean_concavity: float = pa.Field(ge=0, lt=5)
    mean_concave_points: float = pa.Field(ge=0, lt=1)
    mean_symmetry: float = pa.Field(gt=0, lt=1)
    mean_fractal_dimension: float = pa.Field(gt=0, lt=1)
    radius_error: float = pa.Field(gt=0, lt=100)
    texture_error: float = pa.Field(gt=0, lt=100)
    perimeter_error: float = pa.Field(gt=0, lt=1000)
    area_error: float = pa.Field(gt=0, lt=10000)
    smoothness_error: float = pa.Field(gt=0, lt=1)
    compactness_error: float = pa.Field(gt=0, lt=5)
    concavity_error: float = pa.Field(ge=0, lt=5)
    concave_points_error: float = pa.Field(ge=0, lt=1)
    symmetry_error: float = pa.Field(gt=0, lt=1)
    fractal_dimension_error: float = pa.Field(gt=0, lt=1)
    worst_radius: float = pa.Field(gt=0, lt=100)
    worst_texture: float = pa.Field(gt=0, lt=100)
    worst_perimeter: float = pa.Field(gt=0, lt=1000)
    worst_area: float = pa.Field(gt=0, lt=10000)
    worst_smoothness: float = pa.Field(gt=0, lt=1)
    worst_compactness: float = pa.Field(gt=0, lt=5)
    worst_concavity: float = pa.Field(ge=0, lt=5)
    worst_concave_points: float = pa.Field(ge=0, lt=1)
    worst_symmetry: float = pa.Field(gt=0, lt=1)
    worst_fractal_dimension: float = pa.Field(gt=0, lt=1)
    diagnosis: str = pa.Field(isin=["malignant", "benign"])
#% else
    patient_id: str = pa.Field(unique=True)
    age: int = pa.Field(ge=0, le=120)
    sex: int = pa.Field(isin=[1, 2])
    bmi: float = pa.Field(gt=10, lt=80)
    bp: float = pa.Field(gt=30, lt=250, description="mean arterial blood pressure, mmHg")
    s1: float = pa.Field(gt=0, lt=1000, description="total serum cholesterol, mg/dl")
    s2: float = pa.Field(gt=0, lt=1000, description="low-density lipoproteins, mg/dl")
    s3: float = pa.Field(gt=0, lt=1000, description="high-density lipoproteins, mg/dl")
    s4: float = pa.Field(gt=0, lt=100, description="total cholesterol over high-density lipoproteins")
    s5: float = pa.Field(gt=0, lt=20, description="logarithm of serum triglycerides")
    s6: float = pa.Field(gt=0, lt=1000, description="blood sugar, mg/dl")
    progression: float = pa.Field(gt=0, lt=1000, description="disease progression after one year")
#% endif
